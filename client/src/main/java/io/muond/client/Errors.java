package io.muond.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import io.muond.v1.ErrorReason;
import io.muond.wire.Protocol;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/** Maps whatever a call can end with to a {@link MuondException}. */
final class Errors {
  static final String DOMAIN = "muond.io";

  /** How the native transport begins: {@code finishConnect(..) failed with error(-111): }. */
  private static final Pattern NATIVE_CALL =
      Pattern.compile("^\\w+\\(\\.*\\) failed with error\\(-?\\d+\\): ");

  /** How grpc-java words a connection that ends before the server has said anything. */
  private static final String CLOSED = "Network closed for unknown reason";

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
    Optional<String> tls = tlsFault(status.getCause());
    if (tls.isPresent()) {
      return new MuondException(Status.Code.UNAUTHENTICATED, "", tls.get(), Map.of(), cause);
    }
    return new MuondException(
        code(status),
        reason(cause),
        message(status, cause),
        metadata(cause),
        retryDelay(cause),
        requestId(cause),
        cause);
  }

  private static String requestId(Throwable failure) {
    Metadata trailers = Status.trailersFromThrowable(failure);
    String id = trailers == null ? null : trailers.get(Protocol.REQUEST_ID);
    return id == null ? "" : id;
  }

  /** What kept TLS from being set up. The transport calls it UNAVAILABLE, but it will stay so. */
  private static Optional<String> tlsFault(Throwable failure) {
    boolean tls = false;
    Throwable root = failure;
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      tls |= cause instanceof SSLException;
      root = cause;
    }
    return tls
        ? Optional.of("TLS: " + (root.getMessage() == null ? root.toString() : root.getMessage()))
        : Optional.empty();
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

  /** A step was sent behind another, which was not committed. */
  static MuondException dropped(long step, MuondException before) {
    return new MuondException(
        Status.Code.ABORTED,
        ErrorReason.STEP_ABORTED.name(),
        "step %d was dropped, since the step before it was not committed: %s"
            .formatted(step, before.getMessage()),
        Map.of(),
        before);
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
    if (description.equals(CLOSED)) {
      return "it closes the connection without a word (does it expect TLS? has it too many?)";
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
    ErrorInfo info = detail(failure, ErrorInfo.class);
    return info != null && info.getDomain().equals(DOMAIN) ? info : null;
  }

  private static Duration retryDelay(Throwable failure) {
    RetryInfo retry = detail(failure, RetryInfo.class);
    return retry == null
        ? null
        : Duration.ofSeconds(retry.getRetryDelay().getSeconds(), retry.getRetryDelay().getNanos());
  }

  /** What the server says more of a failure, or null. */
  private static <T extends Message> T detail(Throwable failure, Class<T> kind) {
    com.google.rpc.Status status;
    try {
      status = StatusProto.fromThrowable(failure);
    } catch (IllegalArgumentException e) {
      // The details are of another status: somebody has made one of two.
      return null;
    }
    if (status == null) {
      return null;
    }
    for (Any detail : status.getDetailsList()) {
      if (detail.is(kind)) {
        try {
          return detail.unpack(kind);
        } catch (InvalidProtocolBufferException e) {
          // It does not parse: the status itself still says what happened.
        }
      }
    }
    return null;
  }
}
