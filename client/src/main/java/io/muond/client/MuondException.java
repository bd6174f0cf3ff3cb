package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.grpc.Status;
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

  /** A failure with a reason; "" where the server gave none. */
  public MuondException(
      Status.Code code,
      String reason,
      String message,
      Map<String, String> metadata,
      Throwable cause) {
    super(requireNonNull(message, "message is null"), cause);
    this.code = requireNonNull(code, "code is null");
    this.reason = requireNonNull(reason, "reason is null");
    this.metadata = Map.copyOf(metadata);
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

  /** One entry of the metadata. */
  public Optional<String> metadata(String key) {
    return Optional.ofNullable(metadata().get(key));
  }
}
