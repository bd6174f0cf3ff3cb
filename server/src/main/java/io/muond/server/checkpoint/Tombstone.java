package io.muond.server.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.muond.files.AtomicFile;
import io.muond.files.Directories;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * Says which checkpoints are a deleted model's: those whose sequence number is at most the one in
 * the file. So a later model of the same name needs not remove it, and one write, that of its
 * manifest, decides whether the model is there.
 */
record Tombstone(Path file) {
  /** What is buried when there is no tombstone: sequence numbers begin at 1. */
  static final long NOTHING = 0;

  /** The highest sequence number that is buried. */
  long buried() throws CheckpointException {
    String text;
    try {
      text = Files.readString(file, UTF_8);
    } catch (NoSuchFileException e) {
      return NOTHING;
    } catch (IOException e) {
      throw CheckpointException.storage(file, e);
    }
    try {
      return Long.parseLong(text.strip());
    } catch (NumberFormatException e) {
      throw CheckpointException.corrupt(file, '"' + text + "\" (expected: a sequence number)", e);
    }
  }

  /** Buries what there is up to {@code sequence}. On failure nothing more than before is buried. */
  void bury(long sequence) throws CheckpointException {
    long before = buried();
    try {
      write(sequence);
    } catch (IOException e) {
      try {
        // The new one may be in place, and only not known to be durable.
        putBack(before);
      } catch (IOException remaining) {
        e.addSuppressed(remaining);
      }
      throw CheckpointException.storage(file, e);
    }
  }

  /** Replaces a tombstone that cannot be read. */
  void replace(long sequence) throws CheckpointException {
    try {
      write(sequence);
    } catch (IOException e) {
      throw CheckpointException.storage(file, e);
    }
  }

  private void putBack(long before) throws IOException {
    if (before != NOTHING) {
      write(before);
    } else if (Files.deleteIfExists(file)) {
      Directories.sync(file.toAbsolutePath().getParent());
    }
  }

  private void write(long sequence) throws IOException {
    AtomicFile.write(file, (sequence + "\n").getBytes(UTF_8));
  }
}
