package io.muond.client.cli;

import picocli.CommandLine.Command;

/** {@code muond model}: lists, describes and deletes models. */
@Command(
    name = "model",
    description = "Lists, describes and deletes models.",
    subcommands = {ModelListCommand.class, ModelGetCommand.class, ModelDeleteCommand.class})
final class ModelCommand extends Group {}
