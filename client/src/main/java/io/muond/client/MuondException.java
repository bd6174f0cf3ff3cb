package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.grpc.Status;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * A call that failed, on the server or on its way there. Branch on {@link #reason}, which is
 * stable; the message is for people.
 */
public final class MuondException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Status.Code code;
  private final String reason;
  private final transient Map<String, String> metadata;
  private final Duration retryDelay;
  private final String requestId;

  /** A failure with a reason; "" where the server gave none. */
  public MuondException(
      Status.Code code,
      String reason,
      String message,
      Map<String, String> metadata,
      Throwable cause) {
    this(code, reason, message, metadata, null, "", cause);
  }

  /**
   * A failure that may be over later.
   *
   * @param retryDelay null if it is not known when
   * @param requestId "" if it was no call
   */
  MuondException(
      Status.Code code,
      String reason,
      String message,
      Map<String, String> metadata,
      Duration retryDelay,
      String requestId,
      Throwable cause) {
    super(requireNonNull(message, "message is null"), cause);
    this.code = requireNonNull(code, "code is null");
    this.reason = requireNonNull(reason, "reason is null");
    this.metadata = Map.copyOf(metadata);
    this.retryDelay = retryDelay;
    this.requestId = requireNonNull(requestId, "requestId is null");
  }

  /** The same, in other words. */
  MuondException withMessage(String message) {
    return new MuondException(code, reason, message, metadata(), retryDelay, requestId, this);
  }

  /** The gRPC status code. */
  public Status.Code code() {
    return code;
  }

  /** The name of an {@code muond.v1.ErrorReason}, or "" where the server gave none. */
  public String reason() {
    return reason;
  }

  /** Whether the reason is this one. */
  public boolean is(io.muond.v1.ErrorReason expected) {
    return reason.equals(expected.name());
  }

  /** What came with the reason, as the reason's documentation says. */
  public Map<String, String> metadata() {
    return metadata == null ? Map.of() : metadata;
  }

  /** After which the server takes the call, if it said so. Calls wait for that by themselves. */
  public Optional<Duration> retryDelay() {
    return Optional.ofNullable(retryDelay);
  }

  /** The id of the call that failed, by which the server's log knows it; "" if it was no call. */
  public String requestId() {
    return requestId;
  }

  /** One entry of the metadata. */
  public Optional<String> metadata(String key) {
    return Optional.ofNullable(metadata().get(key));
  }
}
