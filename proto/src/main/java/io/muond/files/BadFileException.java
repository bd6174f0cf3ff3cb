package io.muond.files;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * A file that cannot be used. Its message is one line: the file, what is wrong, what was expected.
 */
public final class BadFileException extends IOException {
  private static final long serialVersionUID = 1L;

  /** Of a file whose contents are wrong. */
  public BadFileException(Path file, String fault, Throwable cause) {
    super(file + ": " + fault, cause);
  }

  /** Of a file that cannot be read. */
  public static BadFileException unreadable(Path file, IOException cause) {
    String fault = "cannot be read: " + cause.getMessage();
    if (cause instanceof NoSuchFileException) {
      fault = "no such file";
    } else if (cause instanceof AccessDeniedException) {
      fault = "permission denied";
    }
    return new BadFileException(file, fault + " (expected: a file that can be read)", cause);
  }
}
