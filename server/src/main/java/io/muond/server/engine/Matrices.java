package io.muond.server.engine;

import static java.util.Objects.requireNonNull;

import java.util.Objects;

/**
 * A view of {@code count} equal matrices in one allocation, of float32 or of 16-bit elements.
 * Offset, stride and ld count elements.
 *
 * <p>Element (i, j) of matrix k is at {@code offset + k·stride + i·ld + j}, or, if {@code
 * transposed}, at {@code offset + k·stride + j·ld + i}. So a wide weight is seen as a tall matrix
 * without moving an element; only the engines know of the difference.
 *
 * @param type of the elements, as they lie in memory
 * @param rows m as the mathematics sees it
 * @param cols n as the mathematics sees it
 * @param ld the distance between rows of the memory, at least their length
 */
public record Matrices(
    Memory memory,
    ElementType type,
    long offset,
    int count,
    int rows,
    int cols,
    long stride,
    int ld,
    boolean transposed) {

  private static final int HALVES_ALIGNMENT = 8;

  public Matrices {
    requireNonNull(memory, "memory is null");
    requireNonNull(type, "type is null");
    long last = offset + (count - 1) * stride + (storedRows(rows, cols, transposed) - 1L) * ld;
    if (offset < 0
        || count < 1
        || rows < 1
        || cols < 1
        || ld < storedCols(rows, cols, transposed)
        || last + storedCols(rows, cols, transposed) > memory.floats() * perFloat(type)) {
      throw new IndexOutOfBoundsException(
          count
              + " matrices of "
              + rows
              + " x "
              + cols
              + " at "
              + offset
              + " (stride "
              + stride
              + ", ld "
              + ld
              + ") of "
              + memory.floats()
              + " elements");
    }
  }

  private static int perFloat(ElementType type) {
    return Float.BYTES / type.bytes();
  }

  /** Packed float32 matrices, one after the other, in row-major order. */
  public static Matrices packed(Region region, int count, int rows, int cols) {
    long floats = (long) rows * cols;
    if (Math.multiplyHigh(count, floats) != 0 || count * floats > region.floats()) {
      throw new IndexOutOfBoundsException(
          count + " matrices of " + rows + " x " + cols + " in " + region.floats() + " elements");
    }
    return new Matrices(
        region.memory(),
        ElementType.FLOAT32,
        region.offset(),
        count,
        rows,
        cols,
        floats,
        cols,
        false);
  }

  /**
   * Matrices of 16-bit elements, one after the other in row-major order, every row on a boundary of
   * 16 bytes: tensor cores read no faster from anywhere else.
   */
  public static Matrices halves(Region region, ElementType type, int count, int rows, int cols) {
    int ld = halvesPerRow(cols);
    return new Matrices(
        region.memory(),
        type,
        region.offset() * perFloat(type),
        count,
        rows,
        cols,
        (long) rows * ld,
        ld,
        false);
  }

  /** Elements of memory, in float32, that {@link #halves} takes. */
  public static long floatsOfHalves(int count, int rows, int cols) {
    return Math.multiplyExact(Math.multiplyExact((long) count, rows), halvesPerRow(cols)) / 2;
  }

  private static int halvesPerRow(int cols) {
    return Math.multiplyExact(
        Math.addExact(cols, HALVES_ALIGNMENT - 1) / HALVES_ALIGNMENT, HALVES_ALIGNMENT);
  }

  /** The same memory as elements of another type of the same size. */
  public Matrices as(ElementType other) {
    if (other.bytes() != type.bytes()) {
      throw new IllegalArgumentException(type + " matrices as " + other);
    }
    return new Matrices(memory, other, offset, count, rows, cols, stride, ld, transposed);
  }

  /** These matrices with rows and columns exchanged; nothing moves. */
  public Matrices transpose() {
    return new Matrices(memory, type, offset, count, cols, rows, stride, ld, !transposed);
  }

  /** One matrix. */
  public Matrices matrix(int k) {
    return matrices(k, 1);
  }

  /** Some of the matrices. */
  public Matrices matrices(int from, int length) {
    Objects.checkFromIndexSize(from, length, count);
    return new Matrices(
        memory, type, offset + from * stride, length, rows, cols, stride, ld, transposed);
  }

  /** The block that begins at (i, j) of every matrix. */
  public Matrices block(int i, int j, int blockRows, int blockCols) {
    if (i < 0 || j < 0 || i > rows - blockRows || j > cols - blockCols) {
      throw new IndexOutOfBoundsException(
          "block (" + i + ", " + j + ") of " + blockRows + " x " + blockCols + " in " + rows + " x "
              + cols);
    }
    long shift = transposed ? (long) j * ld + i : (long) i * ld + j;
    return new Matrices(
        memory, type, offset + shift, count, blockRows, blockCols, stride, ld, transposed);
  }

  /** Rows of the memory. */
  public int storedRows() {
    return storedRows(rows, cols, transposed);
  }

  /** Columns of the memory: consecutive elements. */
  public int storedCols() {
    return storedCols(rows, cols, transposed);
  }

  /** Elements of one matrix. */
  public long matrixFloats() {
    return (long) rows * cols;
  }

  private static int storedRows(int rows, int cols, boolean transposed) {
    return transposed ? cols : rows;
  }

  private static int storedCols(int rows, int cols, boolean transposed) {
    return transposed ? rows : cols;
  }
}
