package io.muond.server.rpc;

import java.nio.file.Files;
import java.nio.file.Path;

/** A data directory from which checkpoints can be read, and into which none can be written. */
final class ReadOnlyStorage {
  private ReadOnlyStorage() {}

  /**
   * The same directory under a name so long that those of temporary files, which are the longest,
   * are too long.
   *
   * @param checkpoint an id of a checkpoint of {@code model} that is in it
   */
  static Path of(Path directory, String model, String checkpoint) {
    Path file = Path.of("models", model, "checkpoints", checkpoint, "weights.safetensors");
    String name = directory.toString();
    while (Files.exists(Path.of(name + "/.").resolve(file))) {
      name += "/.";
    }
    return Path.of(name);
  }
}
