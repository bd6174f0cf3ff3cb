package io.muond.server.engine;

/** Loops over batches of row-major matrices on the heap. */
final class Naive {
  private Naive() {}

  /** a (m × depth) times b (depth × n), in float64. */
  static double[] product(int count, int m, int n, int depth, float[] a, float[] b) {
    double[] c = new double[count * m * n];
    for (int row = 0; row < count * m; row++) {
      int k = row / m;
      for (int l = 0; l < depth; l++) {
        double x = a[row * depth + l];
        for (int j = 0; j < n; j++) {
          c[row * n + j] += x * b[(k * depth + l) * n + j];
        }
      }
    }
    return c;
  }

  /** The transposes of rows × cols matrices. */
  static float[] transpose(int count, int rows, int cols, float[] x) {
    float[] y = new float[x.length];
    for (int k = 0; k < count; k++) {
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < cols; j++) {
          y[(k * cols + j) * rows + i] = x[(k * rows + i) * cols + j];
        }
      }
    }
    return y;
  }

  /** x + xᵀ, exactly symmetric. */
  static float[] symmetric(int count, int n, float[] x) {
    float[] y = transpose(count, n, n, x);
    for (int i = 0; i < x.length; i++) {
      y[i] += x[i];
    }
    return y;
  }

  /** x − xᵀ, exactly skew. */
  static float[] skew(int count, int n, float[] x) {
    float[] y = transpose(count, n, n, x);
    for (int i = 0; i < x.length; i++) {
      y[i] = x[i] - y[i];
    }
    return y;
  }

  /** The upper triangles, zero below. */
  static float[] upper(int count, int n, float[] x) {
    float[] y = new float[count * n * n];
    for (int i = 0; i < y.length; i++) {
      y[i] = i % n >= i / n % n ? x[i] : 0;
    }
    return y;
  }

  static float[] floats(double[] x) {
    float[] y = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = (float) x[i];
    }
    return y;
  }

  /** Every element within a tolerance relative to the largest one. */
  static void assertClose(float[] found, double[] expected, double tolerance) {
    double largest = 0;
    for (double value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < expected.length; i++) {
      if (!(Math.abs(found[i] - expected[i]) <= tolerance * Math.max(largest, 1))) {
        throw new AssertionError(
            "element " + i + ": " + found[i] + " (expected: " + expected[i] + ")");
      }
    }
  }
}
