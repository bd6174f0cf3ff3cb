package io.muond.modular;

import io.muond.manifold.FieldException;
import io.muond.manifold.ParameterChecks;
import io.muond.manifold.Require;
import io.muond.manifold.Words;
import java.util.List;
import java.util.function.ObjDoubleConsumer;

/** Rules for single values. */
final class Checks {
  /**
   * With the two sizes of its channels a kernel makes the most dimensions that a shape may have.
   */
  private static final int MAX_KERNEL_SIZES = 6;

  private Checks() {}

  static double positive(TreePath path, double value) {
    return checked(path, value, Require::positive);
  }

  static double notNegative(TreePath path, double value) {
    return checked(path, value, Require::notNegative);
  }

  private static double checked(TreePath path, double value, ObjDoubleConsumer<String> require) {
    try {
      require.accept("value", value);
    } catch (FieldException e) {
      throw new ModuleException(path, e.fault(), e);
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
    if (!ParameterChecks.isName(name)) {
      throw new ModuleException(
          path, Words.quote(name) + " (expected: " + ParameterChecks.NAME_EXPECTATION + ")");
    }
    return name;
  }

  /** The sizes of the field {@code kernel}. */
  static List<Long> kernel(TreePath here, List<Long> kernel) {
    if (kernel.isEmpty()) {
      throw new ModuleException(here.field("kernel"), "empty (expected: at least one size)");
    }
    if (kernel.size() > MAX_KERNEL_SIZES) {
      throw new ModuleException(
          here.field("kernel"),
          kernel.size() + " sizes (expected: at most " + MAX_KERNEL_SIZES + ")");
    }
    for (int i = 0; i < kernel.size(); i++) {
      dimension(here.field("kernel", i), kernel.get(i));
    }
    return kernel;
  }

  /** Into how many heads the outputs are cut, which a field says how many are. */
  static long heads(TreePath here, int heads, String field, long outputs) {
    long given = Math.max(1, Integer.toUnsignedLong(heads));
    if (outputs % given != 0) {
      throw new ModuleException(
          here.field("heads"),
          "%d (expected: a divisor of %s, %d)".formatted(given, field, outputs));
    }
    return given;
  }
}
