package io.muond.server.metrics;

import java.util.Map;

/**
 * An answer to an HTTP request.
 *
 * @param headers those that not every answer has
 * @param body may be empty
 */
public record HttpAnswer(int status, Map<String, String> headers, String body) {
  static final HttpAnswer NOT_FOUND = text(404, "not found\n");
  static final HttpAnswer NOT_ALLOWED = new HttpAnswer(405, Map.of("Allow", "GET, HEAD"), "");
  static final HttpAnswer FAILED = text(500, "failed; the log says more\n");

  /** Text for people and programs. */
  public static HttpAnswer text(int status, String body) {
    return of(status, "text/plain", body);
  }

  /** A page of another type, with status 200. */
  public static HttpAnswer of(String type, String body) {
    return of(200, type, body);
  }

  private static HttpAnswer of(int status, String type, String body) {
    return new HttpAnswer(status, Map.of("Content-Type", type + "; charset=utf-8"), body);
  }

  /** Says where the page is. */
  public static HttpAnswer elsewhere(String path) {
    return new HttpAnswer(302, Map.of("Location", path), "");
  }

  /** There is nothing of that name. */
  public static HttpAnswer notFound() {
    return NOT_FOUND;
  }
}
