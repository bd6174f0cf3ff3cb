package io.muond.modular;

import java.util.regex.Pattern;

/** Rules for single values. */
final class Checks {
  /** Printable ASCII without spaces, quotes and backslashes. */
  private static final Pattern NAME = Pattern.compile("[!-~&&[^\"\\\\]]{1,256}");

  private static final int LONGEST_QUOTE = 300;

  private Checks() {}

  static double positive(TreePath path, double value) {
    if (!(value > 0) || Double.isInfinite(value)) {
      throw new ModuleException(path, value + " (expected: a finite number > 0)");
    }
    return value;
  }

  static double notNegative(TreePath path, double value) {
    if (!(value >= 0) || Double.isInfinite(value)) {
      throw new ModuleException(path, value + " (expected: a finite number >= 0)");
    }
    return value;
  }

  static double notZero(TreePath path, double value) {
    if (value == 0 || !Double.isFinite(value)) {
      throw new ModuleException(path, value + " (expected: a finite number other than 0)");
    }
    return value;
  }

  static long atLeastOne(TreePath path, long value) {
    if (value < 1) {
      throw new ModuleException(path, value + " (expected: >= 1)");
    }
    return value;
  }

  /** Refuses a matrix whose float32 bytes cannot be counted in 64 bits. */
  static void matrix(TreePath path, long rows, long columns) {
    if (rows > Long.MAX_VALUE / Float.BYTES / columns) {
      throw new ModuleException(
          path, rows + " x " + columns + " elements (expected: less than 2^61)");
    }
  }

  static String name(TreePath path, String name) {
    if (!NAME.matcher(name).matches()) {
      throw new ModuleException(
          path,
          quote(name)
              + " (expected: 1 to 256 printable ASCII characters other than space, \" and \\)");
    }
    return name;
  }

  /** In quotes, on one line, cut where it is long. */
  static String quote(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    text.codePoints()
        .limit(LONGEST_QUOTE)
        .forEach(
            c -> {
              if (Character.isISOControl(c) || c == 0x2028 || c == 0x2029) {
                quoted.append(String.format("\\u%04x", c));
              } else {
                quoted.appendCodePoint(c);
              }
            });
    return quoted.append('"').toString();
  }
}
