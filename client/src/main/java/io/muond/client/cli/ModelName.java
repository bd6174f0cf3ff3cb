package io.muond.client.cli;

import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Which model a command is about, as {@code NAME} or as {@code --model NAME}. */
final class ModelName {
  @Parameters(arity = "0..1", paramLabel = "NAME", description = "The model's name.")
  private String word;

  @Option(names = "--model", paramLabel = "NAME", description = "The same, as an option.")
  private String option;

  /**
   * The name.
   *
   * @throws IllegalArgumentException if there is none, or two
   */
  String get() {
    if (word == null && option == null) {
      throw new IllegalArgumentException("NAME: none (expected: a model's name)");
    }
    if (word != null && option != null) {
      throw new IllegalArgumentException(
          "--model: %s (expected: not together with the name %s)".formatted(option, word));
    }
    return word != null ? word : option;
  }
}
