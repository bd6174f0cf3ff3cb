package io.muond.server.optimizer;

import io.muond.server.linalg.Flops;
import java.util.Arrays;

/** What a step did to each matrix of a batch, as far as the host knows it. */
public final class Effort {
  private final Flops each = new Flops();
  private final double[] own;
  private final int[] iterations;
  private final double[] optimum;
  private final double[] feasible;
  private double optimumSeconds;

  public Effort(int count) {
    own = new double[count];
    iterations = new int[count];
    optimum = nans(count);
    feasible = nans(count);
  }

  private static double[] nans(int count) {
    double[] values = new double[count];
    Arrays.fill(values, Double.NaN);
    return values;
  }

  /** Takes over a part, whose matrices are those from {@code first} on. */
  void add(int first, Effort part) {
    for (int k = 0; k < part.own.length; k++) {
      own[first + k] = part.flops(k);
      iterations[first + k] = part.iterations[k];
      optimum[first + k] = part.optimum[k];
      feasible[first + k] = part.feasible[k];
    }
    optimumSeconds += part.optimumSeconds;
  }

  /** Counts what is done to every matrix. */
  Flops each() {
    return each;
  }

  /** Every matrix took as many iterations of the solver's outer loop. */
  void took(int outerIterations) {
    Arrays.fill(iterations, outerIterations);
  }

  /** Matrix k took as many, and these operations of its own. */
  void took(int k, int outerIterations, Flops flops) {
    iterations[k] = outerIterations;
    own[k] = flops.total();
  }

  /** What matrix k could at best be worth, and what its direction is worth. */
  void optimum(int k, double best, double itsFeasible) {
    optimum[k] = best;
    feasible[k] = itsFeasible;
  }

  void optimumSeconds(double seconds) {
    optimumSeconds = seconds;
  }

  int iterations(int k) {
    return iterations[k];
  }

  /** Floating-point operations of the matrix products. */
  double flops(int k) {
    return each.total() + own[k];
  }

  /** NaN where it was not asked for. */
  double optimum(int k) {
    return optimum[k];
  }

  /** NaN where it was not asked for. */
  double feasible(int k) {
    return feasible[k];
  }

  double optimumSeconds() {
    return optimumSeconds;
  }
}
