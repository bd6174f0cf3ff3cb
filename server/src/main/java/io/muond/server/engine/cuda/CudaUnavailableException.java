package io.muond.server.engine.cuda;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** There is no CUDA device to compute with; the message, one line, says why. */
public final class CudaUnavailableException extends Exception {
  private static final long serialVersionUID = 1L;

  private static final Pattern MISSING = Pattern.compile("(lib[\\w-]+\\.so[\\w.]*): cannot open");

  CudaUnavailableException(String message) {
    super(message);
  }

  CudaUnavailableException(Throwable cause) {
    super(reason(cause), cause);
  }

  /** Of a message that may be a page long: the library that is missing, or its first line. */
  private static String reason(Throwable cause) {
    String message = String.valueOf(cause.getMessage());
    Matcher missing = MISSING.matcher(message);
    return missing.find()
        ? "there is no " + missing.group(1)
        : message.lines().findFirst().orElse("") + " of " + cause.getClass().getSimpleName();
  }
}
