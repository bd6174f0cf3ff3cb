package io.muond.bench;

import java.util.Locale;

/** Where tensors go. */
enum Direction {
  /** To the server. */
  PUSH,
  /** From the server. */
  PULL;

  String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
