package io.muond.server.linalg;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.DoubleUnaryOperator;

/**
 * Polynomials for the polar factor of a matrix Y near the Stiefel manifold: with X = YᵀY − I, Y (I
 * + X)^{-1/2} = Y + Y p(X). For a wide range of X several are applied one after the other, each to
 * the X that the one before left.
 */
final class InverseSquareRoot {
  /** Polynomials end when singular values are within this of 1: a few roundings of float32. */
  private static final double ACCURACY = 2e-7;

  /** ‖A‖ may pass 1 by the error of msign's last polynomial and by rounding. */
  private static final double NORM_MARGIN = 1.02;

  /** YᵀY − I of an exact U with a zero direction: rounding. */
  private static final double GRAM_MARGIN = 1e-5;

  private static final int MAX_STAGES = 8;

  /**
   * Polynomials are made for these learning rates and serve all below: making one takes
   * milliseconds, and a schedule asks for another rate at every step.
   */
  private static final double[] RANGES = {0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 4, 6, 8};

  private static final ConcurrentHashMap<Double, List<double[]>> BY_RANGE =
      new ConcurrentHashMap<>();

  private InverseSquareRoot() {}

  /** The largest learning rate with polynomials. */
  static double largestLearningRate() {
    return RANGES[RANGES.length - 1];
  }

  /**
   * Minimax polynomials p_1, p_2, … for YᵀY − I in [0, η²], coefficients from the constant on. Each
   * has degree 2 or 4.
   *
   * @throws IllegalArgumentException beyond {@link #largestLearningRate}
   */
  static List<double[]> forLearningRate(double eta) {
    return BY_RANGE.computeIfAbsent(range(eta), InverseSquareRoot::compute);
  }

  /** The largest learning rate that has the same polynomials as {@code eta}. */
  static double range(double eta) {
    for (double range : RANGES) {
      if (eta <= range) {
        return range;
      }
    }
    throw new IllegalArgumentException(
        "learning rate: " + eta + " (expected: at most " + largestLearningRate() + ")");
  }

  private static List<double[]> compute(double eta) {
    double reach = NORM_MARGIN * eta;
    return forRange(-GRAM_MARGIN, reach * reach + GRAM_MARGIN);
  }

  /** As above, for eigenvalues of YᵀY − I in [lo, hi], −1 < lo < hi. */
  static List<double[]> forRange(double lo, double hi) {
    List<double[]> stages = new ArrayList<>();
    double from = lo;
    double to = hi;
    for (int i = 0; i < MAX_STAGES; i++) {
      Minimax.Fit fit = fit(from, to, 2);
      if (fit.error() > ACCURACY) {
        fit = fit(from, to, 4);
      }
      double[] p = fit.coefficients();
      p[0] -= 1;
      stages.add(p);
      double error = fit.error();
      if (error <= ACCURACY) {
        return stages;
      }
      // σ in [1 − e, 1 + e] gives σ² − 1 in [−2e + e², 2e + e²].
      from = -2 * error + error * error - GRAM_MARGIN;
      to = 2 * error + error * error + GRAM_MARGIN;
    }
    throw new IllegalArgumentException("[" + lo + ", " + hi + "] needs too many polynomials");
  }

  /** The q that minimises max |1 − √(1 + x) q(x)|. */
  private static Minimax.Fit fit(double lo, double hi, int degree) {
    double unit = Math.max(Math.abs(lo), Math.abs(hi));
    DoubleUnaryOperator[] basis = new DoubleUnaryOperator[degree + 1];
    for (int k = 0; k <= degree; k++) {
      int power = k;
      basis[k] = x -> Math.sqrt(1 + x) * power(x / unit, power);
    }
    Minimax.Fit fit = Minimax.ofOne(lo, hi, basis);
    for (int k = 0; k <= degree; k++) {
      fit.coefficients()[k] /= power(unit, k);
    }
    return fit;
  }

  private static double power(double x, int exponent) {
    double result = 1;
    for (int i = 0; i < exponent; i++) {
      result *= x;
    }
    return result;
  }
}
