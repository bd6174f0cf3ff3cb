package io.muond.server.checkpoint;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.Serial;
import java.nio.file.Path;

/** A checkpoint cannot be had, or not be written. */
public final class CheckpointException extends IOException {
  @Serial private static final long serialVersionUID = 1L;

  /** What is wrong. */
  public enum Kind {
    /** There is no such checkpoint. */
    NOT_FOUND,
    /** A file of the checkpoint is missing, cut short or changed. */
    CORRUPT,
    /** The data directory could not be read or written. */
    STORAGE
  }

  private final Kind kind;
  private final String file;

  private CheckpointException(Kind kind, Path file, String message, Throwable cause) {
    super(message, cause);
    this.kind = requireNonNull(kind, "kind is null");
    this.file = file.toString();
  }

  static CheckpointException notFound(String model, String id) {
    String message = "checkpoint \"" + id + "\": model \"" + model + "\" has no such checkpoint";
    return new CheckpointException(Kind.NOT_FOUND, Path.of(""), message, null);
  }

  static CheckpointException notFound(Path directory) {
    return new CheckpointException(
        Kind.NOT_FOUND, directory, directory + ": no such checkpoint", null);
  }

  static CheckpointException corrupt(Path file, String fault) {
    return corrupt(file, fault, null);
  }

  static CheckpointException corrupt(Path file, String fault, Throwable cause) {
    return new CheckpointException(Kind.CORRUPT, file, file + ": " + fault, cause);
  }

  static CheckpointException storage(Path file, IOException cause) {
    // The message of some causes is no more than the file's name.
    String fault = cause.getClass().getSimpleName() + ": " + cause.getMessage();
    return new CheckpointException(Kind.STORAGE, file, file + ": " + fault, cause);
  }

  /** What is wrong. */
  public Kind kind() {
    return kind;
  }

  /** The file, or directory, that the trouble is with. */
  public String file() {
    return file;
  }
}
