package io.muond.server.model;

import io.muond.v1.ErrorReason;
import java.time.Duration;
import java.util.Map;

/** The words of what is refused for who calls, one method per reason. */
public final class AccessRefusals {
  private AccessRefusals() {}

  /**
   * A principal has all that it may have.
   *
   * @param what asks for more, up to an open {@code (expected: }
   */
  static MuondException quotaExceeded(
      String principal, String quota, long used, long limit, String what) {
    return new MuondException(
        ErrorReason.QUOTA_EXCEEDED,
        "quota " + quota + " of " + whose(principal) + ": " + what + ")",
        quota(principal, quota, Long.toString(used), Long.toString(limit)));
  }

  /** A principal has as many calls under way as it may. */
  public static MuondException tooManyStreams(String principal, long used, long limit) {
    return quotaExceeded(
        principal,
        "streams",
        used,
        limit,
        used + " calls are under way (expected: fewer than " + limit);
  }

  /**
   * A principal calls too often.
   *
   * @param limit calls per second
   * @param retryDelay after which one more is taken
   */
  public static MuondException tooManyRequests(
      String principal, double limit, Duration retryDelay) {
    return new MuondException(
        ErrorReason.QUOTA_EXCEEDED,
        "quota requests_per_second of "
            + whose(principal)
            + ": more than "
            + limit
            + " (expected: the next call in "
            + retryDelay.toMillis()
            + " ms)",
        quota(principal, "requests_per_second", Double.toString(limit), Double.toString(limit)),
        retryDelay);
  }

  private static String whose(String principal) {
    return principal.isEmpty() ? "all clients" : '"' + principal + '"';
  }

  private static Map<String, String> quota(
      String principal, String quota, String used, String limit) {
    return Map.of("principal", principal, "quota", quota, "used", used, "limit", limit);
  }

  /** It is not known who calls. */
  public static MuondException unauthenticated(String credential, String fault) {
    return new MuondException(
        ErrorReason.UNAUTHENTICATED, credential + ": " + fault, Map.of("credential", credential));
  }
}
