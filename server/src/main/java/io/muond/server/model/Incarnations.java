package io.muond.server.model;

import java.security.SecureRandom;
import java.util.HexFormat;

/** Makes incarnations: 16 random hexadecimal digits. */
final class Incarnations {
  private static final SecureRandom RANDOM = new SecureRandom();

  private Incarnations() {}

  static String next() {
    return HexFormat.of().toHexDigits(RANDOM.nextLong());
  }
}
