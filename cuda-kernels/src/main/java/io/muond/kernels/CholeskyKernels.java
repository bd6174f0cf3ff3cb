package io.muond.kernels;

import jcuda.driver.CUstream;

/**
 * What a Cholesky factorisation x = RᵀR in panels, and a solve with R, need between their GEMMs:
 *
 * <pre>
 * shift(relative, absolute, x, diagonal)
 * for each panel [from, from + size):
 *   factorDiagonal(x, from, size, diagonal)
 *   solveRow(x, from, size)                          R₁₂ ← R₁₁⁻ᵀ A₁₂
 *   A₂₂ ← A₂₂ − R₁₂ᵀ R₁₂                             by GEMM, its upper triangle at least
 * for each panel:                                    x ← x R⁻¹
 *   solvePanel(r, from, size, x)
 *   columns right of it ← those − (the panel) R₁₂    by GEMM
 * </pre>
 *
 * R is upper triangular; its strict lower triangle is neither read nor written. {@link
 * #invertDiagonal} is where an inverse of R by GEMM begins.
 */
public final class CholeskyKernels {
  /** Columns of a panel at most. */
  public static final int PANEL = 64;

  private static final int COLUMNS_PER_BLOCK = 128;

  private final Module module;

  CholeskyKernels(Module module) {
    this.module = module;
  }

  /** Bytes of the diagonal that {@link #shift} keeps for the factorisation. */
  public static long diagonalBytes(Batch x) {
    return 4 * x.lines();
  }

  /**
   * x ← x + σI, σ = relative · max diag(x) + absolute.
   *
   * @param diagonal device pointer: ← the diagonal so shifted, float32[count][n]
   */
  public void shift(CUstream stream, double relative, double absolute, Batch x, long diagonal) {
    Batch.requireSquare(x);
    Arguments arguments = new Arguments().i64(x.count()).i64(x.rows());
    arguments.f64(relative).f64(absolute).batches(x).i64(diagonal);
    int threads = ReductionKernels.threads(x.rows(), 1);
    module.launch(stream, "choleskyShift", x.count(), threads, arguments);
  }

  /**
   * Factors the diagonal block that begins at {@code from}, in place. A pivot that is no more than
   * rounding, measured by the diagonal as shifted, is replaced by that diagonal element: as if the
   * shift were larger there. So the factor is finite whatever the rank of x.
   */
  public void factorDiagonal(CUstream stream, Batch x, int from, int size, long diagonal) {
    Batch.requireSquare(x);
    Batch block = panel(x, from, size);
    Arguments arguments = new Arguments().i64(x.count()).i64(x.rows()).i32(size);
    arguments.batches(block).i64(diagonal + 4L * from);
    module.launch(stream, "choleskyDiagonal", x.count(), 256, arguments);
  }

  /** The blocks of x right of a factored diagonal block R₁₁ ← R₁₁⁻ᵀ · those. */
  public void solveRow(CUstream stream, Batch x, int from, int size) {
    Batch.requireSquare(x);
    Batch factor = panel(x, from, size);
    int right = x.cols() - from - size;
    if (right > 0) {
      solveRows(stream, factor, x.block(from, from + size, size, right));
    }
  }

  /** Columns [from, from + size) of x ← those · R⁻¹, R the diagonal block of r there. */
  public void solvePanel(CUstream stream, Batch r, int from, int size, Batch x) {
    requireSameOrder(r, x, x.cols());
    Batch factor = panel(r, from, size);
    Batch panel = x.block(0, from, x.rows(), size);
    long tiles = Walk.ceilDiv(x.rows(), PANEL);
    Arguments arguments = new Arguments().i64(x.count()).i64(x.rows()).i64(tiles).i32(size);
    arguments.batches(factor, panel);
    module.launch(stream, "solveColumns", x.count() * tiles, PANEL, arguments);
  }

  /** The same for a matrix that lies transposed: rows [from, from + size) of x ← R⁻ᵀ · those. */
  public void solvePanelTransposed(CUstream stream, Batch r, int from, int size, Batch x) {
    requireSameOrder(r, x, x.rows());
    solveRows(stream, panel(r, from, size), x.block(from, 0, size, x.cols()));
  }

  /**
   * Every diagonal block of {@link #PANEL} of the upper triangular x, and what is left of its
   * order, ← its inverse, with zeros below the diagonal.
   */
  public void invertDiagonal(CUstream stream, Batch x) {
    Batch.requireSquare(x);
    long panels = Walk.ceilDiv(x.rows(), PANEL);
    Arguments arguments = new Arguments().i64(x.count()).i64(x.rows()).i64(panels).batches(x);
    module.launch(stream, "invertDiagonal", x.count() * panels, PANEL, arguments);
  }

  private void solveRows(CUstream stream, Batch r, Batch x) {
    long tiles = Walk.ceilDiv(x.cols(), COLUMNS_PER_BLOCK);
    Arguments arguments = new Arguments().i64(x.count()).i64(x.cols()).i64(tiles).i32(x.rows());
    arguments.batches(r, x);
    module.launch(stream, "solveRows", x.count() * tiles, COLUMNS_PER_BLOCK, arguments);
  }

  private static void requireSameOrder(Batch r, Batch x, int n) {
    Batch.requireSquare(r);
    if (r.count() != x.count() || r.rows() != n) {
      throw new IllegalArgumentException("r: " + r + " (expected: of order " + n + ", as " + x);
    }
  }

  private static Batch panel(Batch x, int from, int size) {
    if (size < 1 || size > PANEL || from < 0 || from > x.rows() - size) {
      throw new IllegalArgumentException(
          "panel: " + size + " from " + from + " (expected: 1 to " + PANEL + " of " + x.rows());
    }
    return x.block(from, from, size, size);
  }
}
