package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;

/**
 * Matrix products, cut into blocks of rows (or columns) that single-threaded BLAS calls work on.
 */
final class Products {
  /**
   * Height of the block rows of a half product. Measured on 512 × 512, one thread: 64 and 128 are
   * equally fast, 0.72 of the full product; 32 and 256 are 15 to 25 % slower.
   */
  private static final int HALF_BLOCK = 128;

  /** Products of fewer multiplications (about 20 µs) are not worth sharing out. */
  private static final long INLINE = 1L << 20;

  private static final int GRAIN = 16;

  private final Workers workers;

  Products(Workers workers) {
    this.workers = workers;
  }

  static Blas.Operand operand(Matrices x, int k, boolean transposed) {
    return new Blas.Operand(
        CpuCompute.memory(x), x.offset() + k * x.stride(), x.ld(), transposed ^ x.transposed());
  }

  /** c ← α op(a) op(b) + β c. */
  void product(
      double alpha, Matrices a, boolean aT, Matrices b, boolean bT, double beta, Matrices c) {
    if (c.transposed()) {
      product(alpha, b, !bT, a, !aT, beta, c.transpose());
      return;
    }
    int m = c.rows();
    int n = c.cols();
    int depth = aT ? a.rows() : a.cols();
    boolean byRows = m >= n || m >= 4 * GRAIN * workers.threads();
    int extent = byRows ? m : n;
    int parts = parts(c.count(), (long) m * n * depth, extent);
    int block = roundUp(extent, parts);
    int blocks = (extent + block - 1) / block;
    workers.run(
        blocks * c.count(),
        task -> {
          int k = task / blocks;
          int from = task % blocks * block;
          int length = Math.min(block, extent - from);
          Blas.Operand x = operand(a, k, aT);
          Blas.Operand y = operand(b, k, bT);
          Blas.Operand z = operand(c, k, false);
          if (byRows) {
            Blas.gemm(
                length, n, depth, (float) alpha, rows(x, from), y, (float) beta, rows(z, from));
          } else {
            Blas.gemm(
                m, length, depth, (float) alpha, x, cols(y, from), (float) beta, cols(z, from));
          }
        });
  }

  /** Enough parts to keep every thread busy, with some to spare for balance. */
  private int parts(int count, long multiplications, int extent) {
    if (multiplications <= INLINE || count >= 4 * workers.threads()) {
      return 1;
    }
    return Math.max(1, Math.min(extent / (2 * GRAIN), 2 * workers.threads()));
  }

  private static int roundUp(int extent, int parts) {
    int block = (extent + parts - 1) / parts;
    return parts == 1 ? block : (block + GRAIN - 1) / GRAIN * GRAIN;
  }

  private static Blas.Operand rows(Blas.Operand x, long from) {
    return x.at(x.transposed() ? from : from * x.ld());
  }

  private static Blas.Operand cols(Blas.Operand x, long from) {
    return x.at(x.transposed() ? from * x.ld() : from);
  }

  /** Puts β e + δ I into the lower part of rows [from, to) of a result, before the product. */
  @FunctionalInterface
  interface Prefill {
    void apply(int matrix, int from, int to);
  }

  /**
   * c ← α op(a) op(b) (+ c, if there is a prefill), where the result is symmetric (sign 1) or skew
   * (sign −1): block rows up to the diagonal, then their mirror images.
   */
  void half(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      Matrices c,
      int sign,
      Prefill prefill) {
    int n = c.rows();
    int depth = aT ? a.rows() : a.cols();
    int height = n <= HALF_BLOCK ? Math.max(GRAIN, n) : n < 4 * HALF_BLOCK ? 64 : HALF_BLOCK;
    int blocks = (n + height - 1) / height;
    workers.run(
        blocks * c.count(),
        task -> {
          int k = task % c.count();
          // The longest block rows first, so that the last ones even out the load.
          int from = (blocks - 1 - task / c.count()) * height;
          int to = Math.min(n, from + height);
          if (prefill != null) {
            prefill.apply(k, from, to);
          }
          Blas.gemm(
              to - from,
              to,
              depth,
              (float) alpha,
              rows(operand(a, k, aT), from),
              operand(b, k, bT),
              prefill == null ? 0 : 1,
              rows(operand(c, k, false), from));
          Tiles.mirror(c, k, from, to, sign);
        });
  }

  /** x ← x R⁻¹. */
  void solveUpper(Matrices r, Matrices x) {
    int m = x.rows();
    int n = x.cols();
    int parts = parts(x.count(), (long) m * n * n / 2, m);
    int block = roundUp(m, parts);
    int blocks = (m + block - 1) / block;
    workers.run(
        blocks * x.count(),
        task -> {
          int k = task / blocks;
          int from = task % blocks * block;
          int length = Math.min(block, m - from);
          Blas.Operand upper = operand(r, k, false);
          if (x.transposed()) {
            Blas.solveLeftTransposed(n, length, upper, operand(x, k, true).at(from));
          } else {
            Blas.solveRight(length, n, upper, rows(operand(x, k, false), from));
          }
        });
  }
}
