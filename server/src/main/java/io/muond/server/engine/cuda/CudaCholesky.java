package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Views.batch;

import io.muond.kernels.Batch;
import io.muond.kernels.CholeskyKernels;
import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;

/** Cholesky factors and triangular systems, panel by panel; what is left of them is products. */
final class CudaCholesky {
  private final CudaDevice device;
  private final Lanes lanes;

  CudaCholesky(CudaDevice device, Lanes lanes) {
    this.device = device;
    this.lanes = lanes;
  }

  private void product(
      double alpha, Matrices a, boolean aT, Matrices b, boolean bT, double beta, Matrices c) {
    lanes
        .current()
        .gemm()
        .product(new Gemm.Product(alpha, a, aT, b, bT, beta, c, Precision.FLOAT32));
  }

  /** See {@link Compute#cholesky}. */
  void factor(double relative, double absolute, Matrices x) {
    Batch all = batch(x);
    CholeskyKernels kernels = device.kernels().cholesky();
    long diagonal = lanes.current().kept().take(CholeskyKernels.diagonalBytes(all));
    kernels.shift(lanes.current().stream(), relative, absolute, all, diagonal);
    int n = x.rows();
    for (int from = 0; from < n; from += CholeskyKernels.PANEL) {
      int size = Math.min(CholeskyKernels.PANEL, n - from);
      kernels.factorDiagonal(lanes.current().stream(), all, from, size, diagonal);
      kernels.solveRow(lanes.current().stream(), all, from, size);
      int rest = n - from - size;
      if (rest > 0) {
        Matrices row = x.block(from, from + size, size, rest);
        Matrices trailing = x.block(from + size, from + size, rest, rest);
        product(-1, row, true, row, false, 1, trailing);
      }
    }
  }

  /** See {@link Compute#solveUpper}. */
  void solve(Matrices r, Matrices x) {
    CholeskyKernels kernels = device.kernels().cholesky();
    int n = r.rows();
    for (int from = 0; from < n; from += CholeskyKernels.PANEL) {
      int size = Math.min(CholeskyKernels.PANEL, n - from);
      if (x.transposed()) {
        kernels.solvePanelTransposed(lanes.current().stream(), batch(r), from, size, batch(x));
      } else {
        kernels.solvePanel(lanes.current().stream(), batch(r), from, size, batch(x));
      }
      int rest = n - from - size;
      if (rest > 0) {
        Matrices done = x.block(0, from, x.rows(), size);
        Matrices row = r.block(from, from + size, size, rest);
        Matrices others = x.block(0, from + size, x.rows(), rest);
        product(-1, done, false, row, false, 1, others);
      }
    }
  }

  /**
   * See {@link Compute#invertUpper}. From the diagonal blocks on, neighbours become one: the block
   * above their diagonal is −X₁₁ R₁₂ X₂₂. What lies below it, which R leaves undefined, holds the
   * first of these products, transposed, and then zeros.
   */
  void invert(Matrices r) {
    device.kernels().cholesky().invertDiagonal(lanes.current().stream(), batch(r));
    int n = r.rows();
    for (int size = CholeskyKernels.PANEL; size < n; size *= 2) {
      for (int from = 0; from + size < n; from += 2 * size) {
        int rest = Math.min(size, n - from - size);
        Matrices first = r.block(from, from, size, size);
        Matrices second = r.block(from + size, from + size, rest, rest);
        Matrices above = r.block(from, from + size, size, rest);
        Matrices below = r.block(from + size, from, rest, size);
        product(1, second, true, above, true, 0, below);
        product(-1, first, false, below, true, 0, above);
        device.kernels().elementwise().zero(lanes.current().stream(), batch(below));
      }
    }
  }
}
