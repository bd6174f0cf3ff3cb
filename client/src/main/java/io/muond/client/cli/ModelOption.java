package io.muond.client.cli;

import picocli.CommandLine.Option;

/** The model that a command is about, which it cannot do without. */
final class ModelOption {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "NAME",
      description = "The model's name.")
  private String name;

  String name() {
    return name;
  }
}
