package io.muond.server.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.muond.files.AtomicFile;
import io.muond.files.Directories;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Says that a model ended at one of its checkpoints, with no step after it. It is true until the
 * model goes on, so whoever lets it go on takes it away first.
 */
record CompleteMark(Path file) {
  /** The model ends at the checkpoint {@code id}. */
  void set(String id) throws CheckpointException {
    try {
      AtomicFile.write(file, (id + "\n").getBytes(UTF_8));
    } catch (IOException e) {
      throw CheckpointException.storage(file, e);
    }
  }

  /**
   * Removes the mark.
   *
   * @return the checkpoint that it named, if there was one
   * @throws CheckpointException if a crash may bring it back
   */
  Optional<String> take() throws CheckpointException {
    try {
      String id = Files.readString(file, UTF_8).strip();
      Files.delete(file);
      Directories.sync(file.toAbsolutePath().getParent());
      return Optional.of(id);
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw CheckpointException.storage(file, e);
    }
  }
}
