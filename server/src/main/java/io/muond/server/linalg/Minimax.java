package io.muond.server.linalg;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;

/**
 * Best approximation of the constant 1 in the maximum norm: the c that minimises max |1 − Σ c_k
 * φ_k(x)| over [lo, hi], by Remez' exchange algorithm. The φ_k must be a Chebyshev system there (no
 * nontrivial combination has as many zeros as there are functions), as {x, x³, x⁵} is on (0, ∞).
 */
final class Minimax {
  /** Chebyshev-distributed, so that the ends, where errors oscillate fastest, are resolved. */
  private static final int GRID = 16_384;

  private static final int MAX_EXCHANGES = 60;
  private static final double RELATIVE_TOLERANCE = 1e-10;

  private Minimax() {}

  /** An approximation. */
  static final class Fit {
    private final double[] coefficients;
    private final double error;

    private Fit(double[] coefficients, double error) {
      this.coefficients = coefficients;
      this.error = error;
    }

    /** c, for the caller to keep. */
    double[] coefficients() {
      return coefficients;
    }

    /** The largest |1 − Σ c_k φ_k|. */
    double error() {
      return error;
    }
  }

  static Fit ofOne(double lo, double hi, DoubleUnaryOperator... basis) {
    int size = basis.length + 1;
    double[] grid = chebyshev(lo, hi, GRID);
    double[] reference = chebyshev(lo, hi, size);
    double[] solution = solve(reference, basis);
    for (int i = 0; i < MAX_EXCHANGES; i++) {
      double[] errors = new double[GRID];
      double largest = 0;
      for (int g = 0; g < GRID; g++) {
        errors[g] = error(grid[g], solution, basis);
        largest = Math.max(largest, Math.abs(errors[g]));
      }
      double levelled = Math.abs(solution[size - 1]);
      double[] next = extrema(grid, errors, size);
      if (next == null || largest - levelled <= RELATIVE_TOLERANCE * largest) {
        break;
      }
      reference = next;
      solution = solve(reference, basis);
    }
    return new Fit(Arrays.copyOf(solution, size - 1), largestError(grid, solution, basis));
  }

  private static double[] chebyshev(double lo, double hi, int n) {
    double[] points = new double[n];
    for (int i = 0; i < n; i++) {
      points[i] = lo + (hi - lo) * 0.5 * (1 - Math.cos(Math.PI * i / (n - 1)));
    }
    return points;
  }

  private static double largestError(double[] grid, double[] c, DoubleUnaryOperator[] basis) {
    double largest = 0;
    for (double x : grid) {
      largest = Math.max(largest, Math.abs(error(x, c, basis)));
    }
    return largest;
  }

  private static double error(double x, double[] c, DoubleUnaryOperator[] basis) {
    double sum = 1;
    for (int k = 0; k < basis.length; k++) {
      sum -= c[k] * basis[k].applyAsDouble(x);
    }
    return sum;
  }

  /** Solves Σ c_k φ_k(x_i) + (−1)^i E = 1; the last element of the result is E. */
  private static double[] solve(double[] x, DoubleUnaryOperator[] basis) {
    int n = x.length;
    double[][] a = new double[n][n + 1];
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < n - 1; k++) {
        a[i][k] = basis[k].applyAsDouble(x[i]);
      }
      a[i][n - 1] = (i & 1) == 0 ? 1 : -1;
      a[i][n] = 1;
    }
    return eliminate(a);
  }

  /** Gaussian elimination with partial pivoting; the last column is the right-hand side. */
  private static double[] eliminate(double[][] a) {
    int n = a.length;
    for (int k = 0; k < n; k++) {
      int pivot = k;
      for (int i = k + 1; i < n; i++) {
        if (Math.abs(a[i][k]) > Math.abs(a[pivot][k])) {
          pivot = i;
        }
      }
      double[] row = a[pivot];
      a[pivot] = a[k];
      a[k] = row;
      for (int i = k + 1; i < n; i++) {
        double factor = a[i][k] / row[k];
        for (int j = k; j <= n; j++) {
          a[i][j] -= factor * row[j];
        }
      }
    }
    double[] x = new double[n];
    for (int i = n - 1; i >= 0; i--) {
      double sum = a[i][n];
      for (int j = i + 1; j < n; j++) {
        sum -= a[i][j] * x[j];
      }
      x[i] = sum / a[i][i];
    }
    return x;
  }

  /**
   * The largest error of each run of equal signs; if there are more runs than {@code size}, the
   * smaller end goes. Null if there are fewer, which means that the errors are rounding only.
   */
  private static double[] extrema(double[] grid, double[] errors, int size) {
    int[] peaks = new int[grid.length];
    int runs = 0;
    for (int g = 0; g < grid.length; g++) {
      boolean sameRun = runs > 0 && errors[peaks[runs - 1]] * errors[g] > 0;
      if (!sameRun) {
        peaks[runs++] = g;
      } else if (Math.abs(errors[g]) > Math.abs(errors[peaks[runs - 1]])) {
        peaks[runs - 1] = g;
      }
    }
    int first = 0;
    while (runs - first > size) {
      if (Math.abs(errors[peaks[first]]) < Math.abs(errors[peaks[runs - 1]])) {
        first++;
      } else {
        runs--;
      }
    }
    if (runs - first < size) {
      return null;
    }
    double[] points = new double[size];
    for (int i = 0; i < size; i++) {
      points[i] = grid[peaks[first + i]];
    }
    return points;
  }
}
