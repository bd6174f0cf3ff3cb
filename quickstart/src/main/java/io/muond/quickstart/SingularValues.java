package io.muond.quickstart;

import java.util.Arrays;

/** Singular values of a small matrix by one-sided Jacobi rotations in float64. */
public final class SingularValues {
  private static final double TOLERANCE = 1e-12;
  private static final int MAX_SWEEPS = 60;

  private SingularValues() {}

  /**
   * The min(rows, columns) singular values, ascending.
   *
   * @throws ArithmeticException if the rotations do not converge (NaN in the matrix)
   */
  static double[] of(Matrix matrix) {
    double[][] vectors = shorterSide(matrix);
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
      if (orthogonalise(vectors)) {
        double[] values = new double[vectors.length];
        for (int i = 0; i < values.length; i++) {
          values[i] = Math.sqrt(dot(vectors[i], vectors[i]));
        }
        Arrays.sort(values);
        return values;
      }
    }
    throw new ArithmeticException("singular values: no convergence (expected: a finite matrix)");
  }

  /**
   * As {@link #of(Matrix)}.
   *
   * @param values in row-major order
   */
  public static double[] of(int rows, int columns, float[] values) {
    return of(new Matrix(rows, columns, values));
  }

  /** The rows of the matrix, or its columns if they are fewer. */
  private static double[][] shorterSide(Matrix matrix) {
    boolean wide = matrix.rows() <= matrix.columns();
    int count = Math.min(matrix.rows(), matrix.columns());
    int length = Math.max(matrix.rows(), matrix.columns());
    double[][] vectors = new double[count][length];
    for (int i = 0; i < count; i++) {
      for (int j = 0; j < length; j++) {
        vectors[i][j] = wide ? matrix.get(i, j) : matrix.get(j, i);
      }
    }
    return vectors;
  }

  /** One sweep over all pairs; true if none needed a rotation. */
  private static boolean orthogonalise(double[][] vectors) {
    boolean orthogonal = true;
    for (int i = 0; i < vectors.length; i++) {
      for (int j = i + 1; j < vectors.length; j++) {
        double a = dot(vectors[i], vectors[i]);
        double b = dot(vectors[j], vectors[j]);
        double c = dot(vectors[i], vectors[j]);
        // Written so that NaN counts as not orthogonal.
        if (!(Math.abs(c) <= TOLERANCE * Math.sqrt(a * b))) {
          orthogonal = false;
          rotate(vectors[i], vectors[j], (b - a) / (2 * c));
        }
      }
    }
    return orthogonal;
  }

  /** Makes x and y orthogonal; zeta is (y.y - x.x) / (2 x.y). */
  private static void rotate(double[] x, double[] y, double zeta) {
    double tangent = Math.copySign(1, zeta) / (Math.abs(zeta) + Math.hypot(1, zeta));
    double cosine = 1 / Math.hypot(1, tangent);
    double sine = cosine * tangent;
    for (int k = 0; k < x.length; k++) {
      double xk = x[k];
      x[k] = cosine * xk - sine * y[k];
      y[k] = sine * xk + cosine * y[k];
    }
  }

  private static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int k = 0; k < x.length; k++) {
      sum += x[k] * y[k];
    }
    return sum;
  }
}
