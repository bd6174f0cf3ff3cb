package io.muond.server.optimizer;

import io.muond.server.linalg.Flops;
import java.util.Arrays;

/** What a step did to each matrix of a batch. */
final class Effort {
  private final Flops each = new Flops();
  private final double[] own;
  private final int[] iterations;

  Effort(int count) {
    own = new double[count];
    iterations = new int[count];
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

  int iterations(int k) {
    return iterations[k];
  }

  /** Floating-point operations of the matrix products. */
  double flops(int k) {
    return each.total() + own[k];
  }
}
