package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.v1.ErrorReason;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * A request that cannot be served, and why, in the terms of the protocol. The reason decides the
 * gRPC status; the message names the field, its value and what was expected.
 */
public final class MuondException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ErrorReason reason;
  private final transient Map<String, String> metadata;
  private final Duration retryDelay;

  public MuondException(ErrorReason reason, String message, Map<String, String> metadata) {
    this(reason, message, metadata, null, null);
  }

  /** As above, with the failure that led to it. */
  public MuondException(
      ErrorReason reason, String message, Map<String, String> metadata, Throwable cause) {
    this(reason, message, metadata, cause, null);
  }

  /** Of a request that can be served a little later. */
  public MuondException(
      ErrorReason reason, String message, Map<String, String> metadata, Duration retryDelay) {
    this(reason, message, metadata, null, requireNonNull(retryDelay, "retryDelay is null"));
  }

  private MuondException(
      ErrorReason reason,
      String message,
      Map<String, String> metadata,
      Throwable cause,
      Duration retryDelay) {
    // Stack traces say nothing about a client's mistake, and a hostile client could ask for many.
    super(requireNonNull(message, "message is null"), cause, false, false);
    this.reason = requireNonNull(reason, "reason is null");
    this.metadata = Map.copyOf(metadata);
    this.retryDelay = retryDelay;
  }

  /** Why. */
  public ErrorReason reason() {
    return reason;
  }

  /** What the reason's documentation promises, by key. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** When to try again, if it is known. */
  public Optional<Duration> retryDelay() {
    return Optional.ofNullable(retryDelay);
  }
}
