package io.muond.server.optimizer;

/** A gradient, or a momentum made of it, holds a NaN or an infinity. */
public final class NotFiniteException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int matrix;
  private final long index;
  private final float value;

  /**
   * @param matrix index in the batch
   * @param index row-major element index within the matrix
   */
  public NotFiniteException(int matrix, long index, float value) {
    super("matrix " + matrix + ", element " + index + ": " + value + " (expected: a finite value)");
    this.matrix = matrix;
    this.index = index;
    this.value = value;
  }

  public int matrix() {
    return matrix;
  }

  public long index() {
    return index;
  }

  public float value() {
    return value;
  }
}
