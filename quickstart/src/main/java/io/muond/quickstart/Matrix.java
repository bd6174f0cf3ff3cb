package io.muond.quickstart;

import static java.util.Objects.requireNonNull;

/** A float32 matrix in row-major order, over the array it was made of. */
final class Matrix {
  private final int rows;
  private final int columns;
  private final float[] data;

  Matrix(int rows, int columns, float[] data) {
    requireNonNull(data, "data is null");
    if (data.length != Math.multiplyExact(rows, columns)) {
      throw new IllegalArgumentException(
          "data: %d elements (expected: %d x %d)".formatted(data.length, rows, columns));
    }
    this.rows = rows;
    this.columns = columns;
    this.data = data;
  }

  static Matrix zeros(int rows, int columns) {
    return new Matrix(rows, columns, new float[Math.multiplyExact(rows, columns)]);
  }

  int rows() {
    return rows;
  }

  int columns() {
    return columns;
  }

  /** The elements themselves, not a copy. */
  float[] data() {
    return data;
  }

  float get(int row, int column) {
    return data[row * columns + column];
  }

  Matrix copy() {
    return new Matrix(rows, columns, data.clone());
  }

  /** These rows, in this order. */
  Matrix selectRows(int[] selection) {
    Matrix selected = zeros(selection.length, columns);
    for (int i = 0; i < selection.length; i++) {
      System.arraycopy(data, selection[i] * columns, selected.data, i * columns, columns);
    }
    return selected;
  }

  /** this B. */
  Matrix times(Matrix b) {
    requireSame("rows of B", b.rows, columns);
    Matrix product = zeros(rows, b.columns);
    for (int i = 0; i < rows; i++) {
      for (int k = 0; k < columns; k++) {
        addScaledRow(data[i * columns + k], b, k, product, i);
      }
    }
    return product;
  }

  /** this^T B. */
  Matrix transposedTimes(Matrix b) {
    requireSame("rows of B", b.rows, rows);
    Matrix product = zeros(columns, b.columns);
    for (int k = 0; k < rows; k++) {
      for (int i = 0; i < columns; i++) {
        addScaledRow(data[k * columns + i], b, k, product, i);
      }
    }
    return product;
  }

  /** this B^T. */
  Matrix timesTransposed(Matrix b) {
    requireSame("columns of B", b.columns, columns);
    Matrix product = zeros(rows, b.rows);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < b.rows; j++) {
        float sum = 0;
        for (int k = 0; k < columns; k++) {
          sum += data[i * columns + k] * b.data[j * columns + k];
        }
        product.data[i * b.rows + j] = sum;
      }
    }
    return product;
  }

  private static void addScaledRow(float factor, Matrix from, int row, Matrix to, int toRow) {
    if (factor == 0) {
      // Half of what a ReLU lets through.
      return;
    }
    int source = row * from.columns;
    int target = toRow * to.columns;
    for (int j = 0; j < from.columns; j++) {
      to.data[target + j] += factor * from.data[source + j];
    }
  }

  private static void requireSame(String what, int value, int expected) {
    if (value != expected) {
      throw new IllegalArgumentException("%s: %d (expected: %d)".formatted(what, value, expected));
    }
  }
}
