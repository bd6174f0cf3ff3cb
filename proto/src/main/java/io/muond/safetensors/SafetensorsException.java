package io.muond.safetensors;

import java.io.IOException;
import java.io.Serial;

/** A file breaks the safetensors format, or a tensor in it is not what was asked for. */
public final class SafetensorsException extends IOException {
  @Serial private static final long serialVersionUID = 1L;

  /**
   * @param message one line that names file, tensor and expectation
   */
  public SafetensorsException(String message) {
    super(message);
  }

  SafetensorsException(String message, Throwable cause) {
    super(message, cause);
  }
}
