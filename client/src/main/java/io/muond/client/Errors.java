package io.muond.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.regex.Pattern;

/** Maps whatever a call can end with to a {@link MuondException}. */
final class Errors {
  static final String DOMAIN = "muond.io";

  /** How the native transport begins: {@code finishConnect(..) failed with error(-111): }. */
  private static final Pattern NATIVE_CALL =
      Pattern.compile("^\\w+\\(\\.*\\) failed with error\\(-?\\d+\\): ");

  private Errors() {}

  /** The exception for any failure; one that is a {@link MuondException} already stays. */
  static MuondException of(Throwable failure) {
    Throwable cause = unwrap(failure);
    if (cause instanceof MuondException known) {
      return known;
    }
    if (cause instanceof CancellationException) {
      return new MuondException(
          Status.Code.CANCELLED, "", "the call was cancelled", Map.of(), cause);
    }
    Status status = Status.fromThrowable(cause);
    return new MuondException(
        code(status), reason(cause), message(status, cause), metadata(cause), cause);
  }

  /**
   * A server that is stopped resets its streams, which reads as CANCELLED although nobody here
   * cancelled anything; what fails here has a cause.
   */
  private static Status.Code code(Status status) {
    return status.getCode() == Status.Code.CANCELLED && status.getCause() == null
        ? Status.Code.UNAVAILABLE
        : status.getCode();
  }

  /** A failure found by the client itself. */
  static MuondException of(Status.Code code, String message) {
    return new MuondException(code, "", message, Map.of(), null);
  }

  /** A failure to read or write local data in the middle of a call. */
  static MuondException local(String message, Throwable cause) {
    return new MuondException(Status.Code.CANCELLED, "", message, Map.of(), cause);
  }

  /** A tensor could not be read while it was sent. */
  static MuondException unreadable(Throwable cause) {
    return local("cannot read what is to be sent: " + cause.getMessage(), cause);
  }

  private static Throwable unwrap(Throwable failure) {
    Throwable cause = failure;
    while ((cause instanceof CompletionException || cause instanceof ExecutionException)
        && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause;
  }

  private static String message(Status status, Throwable cause) {
    if (status.getCause() instanceof MuondException known) {
      return known.getMessage();
    }
    String description = status.getDescription();
    if (description == null) {
      description = cause.getMessage() == null ? cause.toString() : cause.getMessage();
    }
    // "io exception" alone says nothing: the socket's own words follow it.
    return status.getCode() == Status.Code.UNAVAILABLE && status.getCause() != null
        ? rootMessage(status.getCause(), description)
        : description;
  }

  private static String rootMessage(Throwable cause, String fallback) {
    Throwable root = cause;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getMessage() == null
        ? fallback
        : NATIVE_CALL.matcher(root.getMessage()).replaceFirst("");
  }

  private static String reason(Throwable failure) {
    ErrorInfo info = info(failure);
    return info == null ? "" : info.getReason();
  }

  private static Map<String, String> metadata(Throwable failure) {
    ErrorInfo info = info(failure);
    return info == null ? Map.of() : info.getMetadataMap();
  }

  private static ErrorInfo info(Throwable failure) {
    com.google.rpc.Status status = StatusProto.fromThrowable(failure);
    if (status == null) {
      return null;
    }
    for (Any detail : status.getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        ErrorInfo info = unpack(detail);
        if (info != null && info.getDomain().equals(DOMAIN)) {
          return info;
        }
      }
    }
    return null;
  }

  private static ErrorInfo unpack(Any detail) {
    try {
      return detail.unpack(ErrorInfo.class);
    } catch (InvalidProtocolBufferException e) {
      // The details do not parse: the status itself still says what happened.
      return null;
    }
  }
}
