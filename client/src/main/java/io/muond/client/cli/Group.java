package io.muond.client.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** A command that only holds others. */
@Command(mixinStandardHelpOptions = true)
abstract class Group implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw missing(spec);
  }

  static ParameterException missing(CommandSpec spec) {
    return new ParameterException(
        spec.commandLine(),
        "command: none (expected one of %s)"
            .formatted(String.join(", ", spec.subcommands().keySet())));
  }
}
