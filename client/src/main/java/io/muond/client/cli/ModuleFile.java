package io.muond.client.cli;

import io.muond.modular.ModuleException;
import io.muond.modular.ModuleJson;
import io.muond.v1.Module;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The file that holds a module tree. */
final class ModuleFile {
  @Option(
      names = "--module",
      required = true,
      paramLabel = "TREE.json",
      description = "The module tree.")
  private Path file;

  /**
   * The tree, which is valid.
   *
   * @throws IllegalArgumentException that names the file, if there is none in it
   */
  Module read() throws IOException {
    return read("--module", file);
  }

  /** The same of a file that another option names. */
  static Module read(String option, Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new IllegalArgumentException("%s: %s (expected: a file)".formatted(option, file));
    }
    try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
      return ModuleJson.parse(reader);
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(
          file + ": bytes that are not UTF-8 (expected: a module tree as JSON, in UTF-8)", e);
    } catch (ModuleException e) {
      throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
    }
  }
}
