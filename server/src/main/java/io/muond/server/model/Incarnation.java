package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import java.security.SecureRandom;
import java.util.HexFormat;

/**
 * A stretch of a model's history, in which a step's number says which weights it led to. A crash
 * ends one where steps may have been lost, and so does whatever else replaces the weights.
 *
 * @param id 16 random hexadecimal digits
 * @param origin the id of the first since the weights were made, written or restored: what it has
 *     in common with those that crashes ended
 * @param began the last committed step when it began
 */
record Incarnation(String id, String origin, long began) {
  private static final SecureRandom RANDOM = new SecureRandom();

  Incarnation {
    requireNonNull(id, "id is null");
    requireNonNull(origin, "origin is null");
  }

  /** That of weights which are not what came before them. */
  static Incarnation original(long step) {
    String id = next();
    return new Incarnation(id, id, step);
  }

  /** That of the same weights as they were after {@code step}: later steps were lost. */
  Incarnation continued(long step) {
    return new Incarnation(next(), origin, step);
  }

  private static String next() {
    return HexFormat.of().toHexDigits(RANDOM.nextLong());
  }
}
