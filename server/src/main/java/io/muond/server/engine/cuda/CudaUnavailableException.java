package io.muond.server.engine.cuda;

import io.muond.server.engine.OutOfDeviceMemoryException;

/**
 * There is no CUDA device to compute with. The message is one line, a clause that says why and what
 * was expected: "there is no libcuda.so.1 (expected: …)".
 */
public final class CudaUnavailableException extends Exception {
  private static final long serialVersionUID = 1L;

  CudaUnavailableException(String message) {
    super(message);
  }

  private CudaUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Of what went wrong when a device was opened. */
  static CudaUnavailableException of(Throwable cause) {
    return new CudaUnavailableException(reason(cause), cause);
  }

  private static String reason(Throwable cause) {
    if (cause instanceof LinkageError) {
      return OpeningFailures.ofLibrary(cause);
    }
    if (cause instanceof OutOfDeviceMemoryException) {
      return cause.getMessage() + " (expected: a device with room for the engine's buffers)";
    }
    return OpeningFailures.ofCall(String.valueOf(cause.getMessage()));
  }
}
