package io.muond.modular;

import io.muond.manifold.Words;
import java.util.regex.Pattern;

/** Rules for single values. */
final class Checks {
  /** Printable ASCII without spaces, quotes and backslashes. */
  private static final Pattern NAME = Pattern.compile("[!-~&&[^\"\\\\]]{1,256}");

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

  /** A size of a tensor. */
  static long dimension(TreePath path, long value) {
    if (atLeastOne(path, value) > Integer.MAX_VALUE) {
      throw new ModuleException(path, value + " (expected: at most " + Integer.MAX_VALUE + ")");
    }
    return value;
  }

  static String name(TreePath path, String name) {
    if (!NAME.matcher(name).matches()) {
      throw new ModuleException(
          path,
          Words.quote(name)
              + " (expected: 1 to 256 printable ASCII characters other than space, \" and \\)");
    }
    return name;
  }
}
