package io.muond.server.rpc;

import java.util.Arrays;

/** Matrices in float64 as arrays of rows: what is computed here shares nothing with the server. */
final class Doubles {
  private static final int SWEEPS = 60;

  private Doubles() {}

  /**
   * By one-sided rotations (Hestenes, 1958): as many as there are rows, in no order; those of a
   * tall matrix are filled up with zeros.
   */
  static double[] singularValues(double[][] matrix) {
    double[][] rows = Arrays.stream(matrix).map(double[]::clone).toArray(double[][]::new);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
      for (int p = 0; p < rows.length; p++) {
        for (int q = p + 1; q < rows.length; q++) {
          orthogonalize(rows[p], rows[q]);
        }
      }
    }
    return Arrays.stream(rows).mapToDouble(row -> Math.sqrt(dot(row, row))).toArray();
  }

  /** Rotates two rows into orthogonal ones. */
  private static void orthogonalize(double[] x, double[] y) {
    double xy = dot(x, y);
    if (xy == 0) {
      return;
    }
    double angle = 0.5 * Math.atan2(2 * xy, dot(x, x) - dot(y, y));
    double c = Math.cos(angle);
    double s = Math.sin(angle);
    for (int i = 0; i < x.length; i++) {
      double first = c * x[i] + s * y[i];
      y[i] = c * y[i] - s * x[i];
      x[i] = first;
    }
  }

  static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }

  static double[][] transpose(double[][] x) {
    double[][] y = new double[x[0].length][x.length];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < x[0].length; j++) {
        y[j][i] = x[i][j];
      }
    }
    return y;
  }

  static double[][] product(double[][] x, double[][] y) {
    double[][] yT = transpose(y);
    double[][] z = new double[x.length][yT.length];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < yT.length; j++) {
        z[i][j] = dot(x[i], yT[j]);
      }
    }
    return z;
  }

  /** x + factor y. */
  static double[][] sum(double[][] x, double[][] y, double factor) {
    double[][] z = new double[x.length][x[0].length];
    for (int i = 0; i < z.length; i++) {
      for (int j = 0; j < z[i].length; j++) {
        z[i][j] = x[i][j] + factor * y[i][j];
      }
    }
    return z;
  }

  static double[][] scaled(double[][] x, double factor) {
    return sum(new double[x.length][x[0].length], x, factor);
  }

  static double frobenius(double[][] x) {
    return Math.sqrt(Arrays.stream(x).mapToDouble(row -> dot(row, row)).sum());
  }
}
