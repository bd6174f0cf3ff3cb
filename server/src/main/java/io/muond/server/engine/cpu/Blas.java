package io.muond.server.engine.cpu;

import static org.bytedeco.openblas.global.openblas.CblasLeft;
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

  private Blas() {}

  /** Parallelism is the engine's: OpenBLAS itself stays on the calling thread. */
  static void useOneThread() {
    openblas.blas_set_num_threads(1);
  }

  /** c (m × n) ← α op(a) op(b) + β c, with op(a) m × k. */
  static void gemm(int m, int n, int k, float alpha, Operand a, Operand b, float beta, Operand c) {
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

  /** x (m × n) ← x R⁻¹. */
  static void solveRight(int m, int n, Operand r, Operand x) {
    openblas.cblas_strsm(
        CblasRowMajor,
        CblasRight,
        CblasUpper,
        CblasNoTrans,
        CblasNonUnit,
        m,
        n,
        1f,
        r.memory().at(r.index()),
        r.ld(),
        x.memory().at(x.index()),
        x.ld());
  }

  /** x (m × n) ← R⁻ᵀ x. */
  static void solveLeftTransposed(int m, int n, Operand r, Operand x) {
    openblas.cblas_strsm(
        CblasRowMajor,
        CblasLeft,
        CblasUpper,
        CblasTrans,
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
   */
  static int cholesky(int n, Operand x) {
    return openblas.LAPACKE_spotrf(
        openblas.LAPACK_ROW_MAJOR, (byte) 'U', n, x.memory().at(x.index()), x.ld());
  }
}
