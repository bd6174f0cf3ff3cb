package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;

/** Shifted Cholesky factorisation: upper R with RᵀR = X + σI. */
final class Cholesky {
  /** Each failed attempt multiplies the shift so. */
  private static final double GROWTH = 10;

  private static final int ATTEMPTS = 40;

  private final Workers workers;

  Cholesky(Workers workers) {
    this.workers = workers;
  }

  void factor(double relative, double absolute, Matrices x) {
    workers.run(x.count(), k -> one(relative, absolute, x.matrix(k)));
  }

  private static void one(double relative, double absolute, Matrices x) {
    int n = x.rows();
    float[] diagonal = new float[n];
    float largest = 0;
    for (int i = 0; i < n; i++) {
      CpuCompute.memory(x).get(at(x, i), diagonal, i, 1);
      largest = Math.max(largest, diagonal[i]);
    }
    if (!Float.isFinite(largest)) {
      // Whoever asked finds numbers that are not finite at the end of the step.
      return;
    }
    double shift = relative * largest + absolute;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      float[] shifted = new float[n];
      for (int i = 0; i < n; i++) {
        shifted[i] = (float) (diagonal[i] + shift);
        CpuCompute.memory(x).put(at(x, i), shifted, i, 1);
      }
      if (Blas.cholesky(n, Products.operand(x, 0, false)) == 0) {
        return;
      }
      // The factorisation overwrote the upper triangle only: the lower one still has X.
      Tiles.mirror(x, 0, new Products.Tile(0, 0, n, n), 1);
      shift = Math.max(shift * GROWTH, Math.ulp(largest));
    }
    throw new IllegalStateException(
        "no Cholesky factor with a shift of "
            + shift
            + " (largest diagonal element "
            + largest
            + ")");
  }

  private static long at(Matrices x, int i) {
    return x.offset() + (long) i * x.ld() + i;
  }
}
