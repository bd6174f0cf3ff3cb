package io.muond.server.engine.cpu;

import static org.bytedeco.openblas.global.openblas.CblasLeft;
import static org.bytedeco.openblas.global.openblas.CblasLower;
import static org.bytedeco.openblas.global.openblas.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas.CblasNonUnit;
import static org.bytedeco.openblas.global.openblas.CblasRight;
import static org.bytedeco.openblas.global.openblas.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas.CblasTrans;
import static org.bytedeco.openblas.global.openblas.CblasUpper;

import org.bytedeco.openblas.global.openblas;

/** The few OpenBLAS calls that the engine makes, on row-major matrices in {@link CpuMemory}. */
final class Blas {
  /** A matrix operand: where it begins, its leading dimension, and whether it is transposed. */
  record Operand(CpuMemory memory, long index, int ld, boolean transposed) {
    Operand at(long shift) {
      return new Operand(memory, index + shift, ld, transposed);
    }
  }

  /** Summands of one call: two operands of 512 × 512 are 2 MiB. */
  private static final int DEPTH = 512;

  private Blas() {}

  /** Parallelism is the engine's: OpenBLAS itself stays on the calling thread. */
  static void useOneThread() {
    openblas.blas_set_num_threads(1);
  }

  /**
   * c (m × n) ← α op(a) op(b) + β c, with op(a) m × k. Long sums are cut: measured on 512 × 512
   * with k = 4096 and a transposed, pieces that stay in the second-level cache are 1.1 to 2 times
   * as fast.
   */
  static void gemm(int m, int n, int k, float alpha, Operand a, Operand b, float beta, Operand c) {
    int depth;
    for (int from = 0; from < k; from += depth) {
      depth = k - from < 2 * DEPTH ? k - from : DEPTH;
      gemmOnce(
          m,
          n,
          depth,
          alpha,
          a.at(a.transposed() ? (long) from * a.ld() : from),
          b.at(b.transposed() ? from : (long) from * b.ld()),
          from == 0 ? beta : 1,
          c);
    }
  }

  private static void gemmOnce(
      int m, int n, int k, float alpha, Operand a, Operand b, float beta, Operand c) {
    openblas.cblas_sgemm(
        CblasRowMajor,
        a.transposed() ? CblasTrans : CblasNoTrans,
        b.transposed() ? CblasTrans : CblasNoTrans,
        m,
        n,
        k,
        alpha,
        a.memory().at(a.index()),
        a.ld(),
        b.memory().at(b.index()),
        b.ld(),
        beta,
        c.memory().at(c.index()),
        c.ld());
  }

  /** The lower triangle of c (n × n) ← α op(a) op(a)ᵀ + β c, with op(a) n × k. */
  static void symmetric(int n, int k, float alpha, Operand a, float beta, Operand c) {
    openblas.cblas_ssyrk(
        CblasRowMajor,
        CblasLower,
        a.transposed() ? CblasTrans : CblasNoTrans,
        n,
        k,
        alpha,
        a.memory().at(a.index()),
        a.ld(),
        beta,
        c.memory().at(c.index()),
        c.ld());
  }

  /** r ← R⁻¹, R upper triangular; lower to LAPACK, as in {@link #cholesky}. */
  static void invertUpper(int n, Operand r) {
    int info =
        openblas.LAPACKE_strtri(
            openblas.LAPACK_COL_MAJOR, (byte) 'L', (byte) 'N', n, r.memory().at(r.index()), r.ld());
    if (info != 0) {
      throw new IllegalStateException("strtri of order " + n + " returned " + info);
    }
  }

  /** x (m × n) ← x R. */
  static void multiplyRight(int m, int n, Operand r, Operand x) {
    triangular(CblasRight, CblasNoTrans, m, n, r, x);
  }

  /** x (m × n) ← Rᵀ x. */
  static void multiplyLeftTransposed(int m, int n, Operand r, Operand x) {
    triangular(CblasLeft, CblasTrans, m, n, r, x);
  }

  private static void triangular(int side, int transpose, int m, int n, Operand r, Operand x) {
    openblas.cblas_strmm(
        CblasRowMajor,
        side,
        CblasUpper,
        transpose,
        CblasNonUnit,
        m,
        n,
        1f,
        r.memory().at(r.index()),
        r.ld(),
        x.memory().at(x.index()),
        x.ld());
  }

  /**
   * The upper Cholesky factor in place; returns 0, or the order of the minor that is not positive.
   * To LAPACK it is the lower one of a column-major matrix: row-major calls allocate a transpose.
   */
  static int cholesky(int n, Operand x) {
    return openblas.LAPACKE_spotrf(
        openblas.LAPACK_COL_MAJOR, (byte) 'L', n, x.memory().at(x.index()), x.ld());
  }
}
