package io.muond.kernels;

import jcuda.driver.CUstream;

/** The diagonal of Gram matrices. See {@link ReductionKernels} for {@code scratch}. */
public final class GramKernels {
  private static final int COLUMNS_AT_ONCE = 32;
  private static final int ROWS_PER_PART = 128;

  private final Module gram;
  private final Module rows;
  private final int multiprocessors;

  GramKernels(Module gram, Module rows, int multiprocessors) {
    this.gram = gram;
    this.rows = rows;
    this.multiprocessors = multiprocessors;
  }

  /** Bytes of scratch for the diagonal of yᵀy (byColumns) or y yᵀ. */
  public static long scratchBytes(Batch y, boolean byColumns) {
    Batch part = y.matrices(0, matricesAtOnce(y, byColumns));
    long parts = byColumns ? parts(part) : RowShape.of(part).parts();
    return 8L * part.count() * (byColumns ? y.cols() : y.rows()) * parts;
  }

  /** As many as keep the scratch within bounds, one at least. */
  private static int matricesAtOnce(Batch y, boolean byColumns) {
    int n = byColumns ? y.cols() : y.rows();
    return Math.max(1, Math.min(y.count(), ReductionKernels.SCRATCH_NUMBERS / n));
  }

  private static long parts(Batch y) {
    long most = ReductionKernels.SCRATCH_NUMBERS / ((long) y.count() * y.cols());
    return Math.max(1, Math.min(Walk.ceilDiv(y.rows(), ROWS_PER_PART), most));
  }

  /**
   * x_jj ← Σ_i y_ij² + shift over the columns j of y (byColumns), or Σ_j y_ij² + shift to x_ii over
   * its rows i, accumulated in float64; the rest of x is left alone.
   */
  public void gramDiagonal(
      CUstream stream, Batch y, boolean byColumns, double shift, Batch x, long scratch) {
    int n = byColumns ? y.cols() : y.rows();
    if (x.count() != y.count() || x.rows() != n || x.cols() != n) {
      throw new IllegalArgumentException("x: " + x + " (expected: of order " + n + ", as " + y);
    }
    int atOnce = matricesAtOnce(y, byColumns);
    for (int from = 0; from < y.count(); from += atOnce) {
      int length = Math.min(atOnce, y.count() - from);
      Batch some = y.matrices(from, length);
      if (byColumns) {
        columns(stream, some, shift, x.matrices(from, length), scratch);
      } else {
        rows(stream, some, shift, x.matrices(from, length), scratch);
      }
    }
  }

  private void columns(CUstream stream, Batch y, double shift, Batch x, long scratch) {
    long parts = parts(y);
    long perPart = Walk.ceilDiv(y.rows(), parts);
    long across = Walk.ceilDiv(y.cols(), COLUMNS_AT_ONCE);
    Arguments arguments = new Arguments().i64(y.count()).i64(y.rows()).i64(y.cols()).i64(across);
    arguments.i64(parts).i64(perPart).batches(y).i64(scratch);
    gram.launch(stream, "columnSquares", y.count() * parts * across, Walk.THREADS, arguments);
    finish(stream, parts, parts * y.cols(), 1, y.cols(), scratch, shift, x);
  }

  private void rows(CUstream stream, Batch y, double shift, Batch x, long scratch) {
    RowShape shape = RowShape.of(y);
    Arguments arguments = new Arguments().i64(shape.argument()).batches(y).i64(scratch);
    rows.launch(stream, "rowSquares", shape.items(), shape.threads(), arguments);
    finish(stream, shape.parts(), shape.parts() * y.rows(), shape.parts(), 1, scratch, shift, x);
  }

  private void finish(
      CUstream stream,
      long parts,
      long perMatrix,
      long perElement,
      long perPart,
      long scratch,
      double shift,
      Batch x) {
    Arguments arguments = new Arguments().i64(x.count()).i64(x.rows()).i64(parts);
    arguments.i64(perMatrix).i64(perElement).i64(perPart).i64(scratch).f64(shift).batches(x);
    long blocks = Walk.blocks(x.lines(), multiprocessors);
    gram.launch(stream, "finishDiagonal", blocks, Walk.THREADS, arguments);
  }
}
