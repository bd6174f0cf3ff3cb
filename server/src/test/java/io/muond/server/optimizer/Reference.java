package io.muond.server.optimizer;

import io.muond.server.engine.cpu.Float64;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;

/** What steps are compared with: small matrices in float64, by methods that no engine uses. */
final class Reference {
  private Reference() {}

  static double[] doubles(float[] x) {
    double[] y = new double[x.length];
    Arrays.setAll(y, i -> x[i]);
    return y;
  }

  static float[] floats(double[] x) {
    float[] y = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = (float) x[i];
    }
    return y;
  }

  static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }

  static double norm(double[] x) {
    return Math.sqrt(dot(x, x));
  }

  /** α x + β y. */
  static double[] combine(double alpha, double[] x, double beta, double[] y) {
    double[] z = new double[x.length];
    Arrays.setAll(z, i -> alpha * x[i] + beta * y[i]);
    return z;
  }

  static double[] scale(double alpha, double[] x) {
    return combine(alpha, x, 0, x);
  }

  /**
   * The part of x in the null space of linear constraints, each a vector that x is to be orthogonal
   * to: they are made orthonormal one after the other, twice.
   */
  static double[] satisfying(List<double[]> constraints, double[] x) {
    List<double[]> basis = new ArrayList<>();
    for (double[] constraint : constraints) {
      double[] c = constraint;
      for (int pass = 0; pass < 2; pass++) {
        for (double[] b : basis) {
          c = combine(1, c, -dot(b, c), b);
        }
      }
      if (norm(c) > 1e-9 * norm(constraint)) {
        basis.add(scale(1 / norm(c), c));
      }
    }
    double[] y = x;
    for (int pass = 0; pass < 2; pass++) {
      for (double[] b : basis) {
        y = combine(1, y, -dot(b, y), b);
      }
    }
    return y;
  }

  /**
   * The vectors that tangent directions at an m × n Stiefel matrix are orthogonal to, one for each
   * element of WᵀA + AᵀW.
   */
  static List<double[]> stiefelConstraints(int m, int n, double[] w) {
    List<double[]> constraints = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      for (int j = i; j < n; j++) {
        double[] c = new double[m * n];
        for (int row = 0; row < m; row++) {
          c[row * n + j] += w[row * n + i];
          c[row * n + i] += w[row * n + j];
        }
        constraints.add(c);
      }
    }
    return constraints;
  }

  static double[] transpose(int rows, int columns, double[] x) {
    double[] y = new double[x.length];
    Arrays.setAll(y, i -> x[i % rows * columns + i / rows]);
    return y;
  }

  /** A random matrix of rank 1. */
  static float[] rankOne(int m, int n, long seed) {
    float[] left = TestBatch.gaussian(m, 1, seed);
    float[] right = TestBatch.gaussian(n, 1, seed + 1);
    float[] x = new float[m * n];
    for (int i = 0; i < x.length; i++) {
      x[i] = left[i / n] * right[i % n];
    }
    return x;
  }

  static double[] singularValues(int m, int n, double[] x) {
    return Float64.singularValues(m, n, x.clone());
  }

  static double[] singularValues(int m, int n, float[] x) {
    return Float64.singularValues(m, n, doubles(x));
  }

  /** U f(Σ) Vᵀ of an m × n matrix, by Jacobi's rotations of its columns (of rows if it is wide). */
  static double[] onSingularValues(int m, int n, double[] x, DoubleUnaryOperator f) {
    if (m < n) {
      return transpose(n, m, onSingularValues(n, m, transpose(m, n, x), f));
    }
    double[] u = x.clone();
    double[] v = new double[n * n];
    for (int i = 0; i < n; i++) {
      v[i * n + i] = 1;
    }
    for (int sweep = 0; sweep < 40; sweep++) {
      for (int p = 0; p < n; p++) {
        for (int q = p + 1; q < n; q++) {
          rotate(m, n, u, v, p, q);
        }
      }
    }
    double[] result = new double[m * n];
    for (int k = 0; k < n; k++) {
      double[] left = column(m, n, u, k);
      double sigma = norm(left);
      double factor = sigma == 0 ? 0 : f.applyAsDouble(sigma) / sigma;
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          result[i * n + j] += factor * left[i] * v[j * n + k];
        }
      }
    }
    return result;
  }

  private static double[] column(int rows, int n, double[] x, int k) {
    double[] c = new double[rows];
    Arrays.setAll(c, i -> x[i * n + k]);
    return c;
  }

  /** Makes columns p and q of u orthogonal; v follows. */
  private static void rotate(int m, int n, double[] u, double[] v, int p, int q) {
    double[] a = column(m, n, u, p);
    double[] b = column(m, n, u, q);
    double inner = dot(a, b);
    if (Math.abs(inner) <= 1e-17 * norm(a) * norm(b)) {
      return;
    }
    double zeta = (dot(b, b) - dot(a, a)) / (2 * inner);
    double t = Math.copySign(1, zeta) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
    double c = 1 / Math.sqrt(1 + t * t);
    turn(m, n, u, p, q, c, c * t);
    turn(n, n, v, p, q, c, c * t);
  }

  private static void turn(int rows, int n, double[] x, int p, int q, double c, double s) {
    for (int i = 0; i < rows; i++) {
      double a = x[i * n + p];
      double b = x[i * n + q];
      x[i * n + p] = c * a - s * b;
      x[i * n + q] = s * a + c * b;
    }
  }
}
