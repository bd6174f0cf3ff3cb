package io.muond.client.cli;

import picocli.CommandLine.Command;

/** {@code muond model}: creates, lists, describes and deletes models. */
@Command(
    name = "model",
    description = "Creates, lists, describes and deletes models.",
    subcommands = {
      ModelCreateCommand.class,
      ModelListCommand.class,
      ModelGetCommand.class,
      ModelDeleteCommand.class
    })
final class ModelCommand extends Group {}
