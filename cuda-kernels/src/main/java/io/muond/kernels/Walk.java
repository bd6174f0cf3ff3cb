package io.muond.kernels;

/**
 * How element-wise kernels go through batches of one shape (walk.cuh): rows without gaps between
 * them count as one, and so do matrices, unless their numbers are needed.
 *
 * @param width elements of a pack: 4 where every operand's are aligned, else 1
 */
record Walk(long count, long rows, long cols, int width) {
  static final int THREADS = 256;

  /**
   * Blocks per multiprocessor: 8 of 256 threads are as many as fit, and enough loads in flight to
   * keep the memory busy.
   */
  static final int BLOCKS_PER_MULTIPROCESSOR = 8;

  /** What may count as one. */
  enum Join {
    NOTHING,
    ROWS,
    ROWS_AND_MATRICES
  }

  static Walk of(Join join, Batch... operands) {
    boolean aligned = true;
    for (Batch x : operands) {
      aligned &= x.aligned(Float.BYTES);
    }
    return of(join, aligned, operands);
  }

  static Walk of(Join join, boolean aligned, Batch... operands) {
    Batch.requireSameShape(operands);
    Batch first = operands[0];
    boolean packedRows = join != Join.NOTHING;
    boolean packedMatrices = join == Join.ROWS_AND_MATRICES;
    for (Batch x : operands) {
      packedRows &= x.ld() == x.cols() || x.rows() == 1;
      packedMatrices &= x.stride() == x.elements() || x.count() == 1;
    }
    long rows = packedRows ? 1 : first.rows();
    long cols = packedRows ? first.elements() : first.cols();
    long count = first.count();
    if (packedRows && packedMatrices) {
      cols *= count;
      count = 1;
    }
    return new Walk(count, rows, cols, aligned ? 4 : 1);
  }

  long packsPerRow() {
    return ceilDiv(cols, width);
  }

  long packsPerMatrix() {
    return rows * packsPerRow();
  }

  long packs() {
    return count * packsPerMatrix();
  }

  /** Blocks that fill a device, or fewer. */
  static long blocks(long threads, int multiprocessors) {
    return Math.min(ceilDiv(threads, THREADS), (long) multiprocessors * BLOCKS_PER_MULTIPROCESSOR);
  }

  /** As the kernels take it, for threads that are {@code stride} packs apart. */
  long[] argument(long stride) {
    long perRow = packsPerRow();
    long lines = stride / perRow;
    return new long[] {
      packs(), rows, cols, perRow, lines / rows, lines % rows, stride % perRow, width
    };
  }

  static long ceilDiv(long x, long y) {
    return (x + y - 1) / y;
  }
}
