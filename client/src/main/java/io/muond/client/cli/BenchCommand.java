package io.muond.client.cli;

import picocli.CommandLine.Command;

/** {@code muond bench}: how fast a server is. */
@Command(
    name = "bench",
    description = "Measures a server.",
    subcommands = {BenchStepCommand.class, BenchStreamCommand.class})
final class BenchCommand extends Group {}
