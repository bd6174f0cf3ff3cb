package io.muond.manifold;

/** Refuses values that break a rule, with a {@link FieldException}. */
public final class Require {
  private Require() {}

  static void that(boolean valid, String field, Object value, String expectation) {
    if (!valid) {
      throw new FieldException(field, value, expectation);
    }
  }

  /** Refuses what is not finite and above 0. */
  public static void positive(String field, double value) {
    that(value > 0 && Double.isFinite(value), field, value, "a finite number > 0");
  }

  /** Refuses what is not finite and at least 0. */
  public static void notNegative(String field, double value) {
    that(value >= 0 && Double.isFinite(value), field, value, "a finite number >= 0");
  }

  static void fraction(String field, double value) {
    that(value >= 0 && value < 1, field, value, "a number in [0, 1)");
  }

  /** The engine computes in float32: what vanishes or overflows there is no such number. */
  static void positiveFloat(String field, double value) {
    float single = (float) value;
    that(
        single > 0 && Float.isFinite(single), field, value, "a number > 0 and finite as a float32");
  }

  static void between(String field, long value, long least, long most) {
    that(value >= least && value <= most, field, value, least + " to " + most);
  }
}
