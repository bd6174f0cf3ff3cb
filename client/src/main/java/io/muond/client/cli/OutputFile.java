package io.muond.client.cli;

import java.nio.file.Files;
import java.nio.file.Path;

/** A file that a command is to write. */
final class OutputFile {
  private OutputFile() {}

  /**
   * Refuses, before any work is done, what could not be written after it.
   *
   * @throws IllegalArgumentException naming the option and the reason
   */
  static void check(String option, Path path) {
    Path directory = path.toAbsolutePath().getParent();
    if (directory == null || !Files.isDirectory(directory)) {
      throw new IllegalArgumentException(
          "%s: %s (expected: a file in a directory that exists)".formatted(option, path));
    }
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      throw new IllegalArgumentException(
          "%s: %s (expected: a regular file or none)".formatted(option, path));
    }
    if (!Files.isWritable(directory)) {
      throw new IllegalArgumentException(
          "%s: %s (expected: a directory that can be written)".formatted(option, path));
    }
  }
}
