package io.muond.client.cli;

import picocli.CommandLine.Command;

/** {@code muond checkpoint}: models on disk. */
@Command(
    name = "checkpoint",
    description = "Saves, lists, restores and deletes checkpoints.",
    subcommands = {
      CheckpointSaveCommand.class,
      CheckpointListCommand.class,
      CheckpointRestoreCommand.class,
      CheckpointDeleteCommand.class
    })
final class CheckpointCommand extends Group {}
