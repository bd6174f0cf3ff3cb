package io.muond.kernels;

/**
 * {@code count} equal matrices in device memory, row-major: element (i, j) of matrix k is element
 * {@code k·stride + i·ld + j} from {@code pointer} on. The elements are float32, or 16-bit numbers
 * where an operation says so. Pointer, stride and ld need no more alignment than an element; rows
 * and columns are those of the memory.
 *
 * @param pointer device address of the first element
 * @param stride elements between matrices
 * @param ld elements between rows, at least {@code cols}
 */
public record Batch(long pointer, int count, int rows, int cols, long stride, int ld) {
  public Batch {
    if (count < 1 || rows < 1 || cols < 1) {
      throw new IllegalArgumentException(
          "batch: " + count + " x " + rows + " x " + cols + " (expected: at least 1 of each)");
    }
    if (ld < cols) {
      throw new IllegalArgumentException("ld: " + ld + " (expected: at least cols, " + cols + ")");
    }
  }

  /** Matrices one after the other, without gaps. */
  public static Batch packed(long pointer, int count, int rows, int cols) {
    return new Batch(pointer, count, rows, cols, (long) rows * cols, cols);
  }

  /** Some of the matrices, of 4-byte elements. */
  Batch matrices(int from, int length) {
    return new Batch(pointer + 4L * from * stride, length, rows, cols, stride, ld);
  }

  /** The block of every matrix that begins at (i, j), of 4-byte elements. */
  Batch block(int i, int j, int blockRows, int blockCols) {
    long shift = (long) i * ld + j;
    return new Batch(pointer + 4 * shift, count, blockRows, blockCols, stride, ld);
  }

  /** Elements of a matrix. */
  long elements() {
    return (long) rows * cols;
  }

  /** Rows of all matrices. */
  long lines() {
    return (long) rows * count;
  }

  /**
   * Whether four elements in a row can be taken at once, if the first column is a multiple of 4.
   */
  boolean aligned(int elementBytes) {
    return pointer % (4L * elementBytes) == 0
        && (rows == 1 || ld % 4 == 0)
        && (count == 1 || stride % 4 == 0);
  }

  /** As the kernels take it. */
  long[] operand() {
    return new long[] {pointer, stride, ld};
  }

  /** Demands one shape of all. */
  static void requireSameShape(Batch... batches) {
    Batch first = batches[0];
    for (Batch x : batches) {
      if (x.count != first.count || x.rows != first.rows || x.cols != first.cols) {
        throw new IllegalArgumentException("operands differ in shape: " + first + ", " + x);
      }
    }
  }

  /** Demands square matrices of one shape. */
  static void requireSquare(Batch... batches) {
    requireSameShape(batches);
    if (batches[0].rows != batches[0].cols) {
      throw new IllegalArgumentException("not square: " + batches[0]);
    }
  }
}
