package io.muond.client.cli;

import picocli.CommandLine.Command;

/** {@code muond weights}: a model's weights. */
@Command(name = "weights", description = "Reads weights.", subcommands = WeightsReadCommand.class)
final class WeightsCommand extends Group {}
