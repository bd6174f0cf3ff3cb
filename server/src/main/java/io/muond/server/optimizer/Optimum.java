package io.muond.server.optimizer;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.cpu.Float64;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * What the best feasible direction is worth, and what a given one is worth if it is made feasible:
 * on the host, in float64, by exact decompositions, with nothing in common with the solvers.
 */
public final class Optimum {
  /** The largest order of a matrix that is decomposed. */
  public static final int MAX_ORDER = 16_384;

  /** The most elements of a matrix: its float64 copies are arrays. */
  public static final long MAX_ELEMENTS = (long) MAX_ORDER * MAX_ORDER;

  private Optimum() {}

  /** Whether the optimum of a matrix of this shape can be had. */
  public static boolean covers(long rows, long columns) {
    long m = Math.max(rows, columns);
    long n = Math.min(rows, columns);
    // What is decomposed is m x m, or 2n x 2n where that is smaller.
    return m <= MAX_ELEMENTS / n && Math.min(m, 2 * n) <= MAX_ORDER;
  }

  /**
   * The bytes of host memory that the optimum of one matrix of this shape takes, at most: U, G and
   * A, three intermediates of their size, and four squares of the order that is decomposed.
   */
  public static long hostBytes(long rows, long columns) {
    long order = Math.min(Math.max(rows, columns), 2 * Math.min(rows, columns));
    return Double.BYTES * (6 * rows * columns + 4 * order * order);
  }

  /**
   * Tells {@code effort} per matrix the optimum, the feasible objective of A, and how long that
   * took. One matrix after the other, whatever the number of devices, so that the host holds the
   * copies of one.
   */
  static void of(Matrices u, Matrices g, Matrices a, Effort effort) {
    long started = System.nanoTime();
    for (int k = 0; k < u.count(); k++) {
      one(u.matrix(k), g.matrix(k), a.matrix(k), k, effort);
    }
    effort.optimumSeconds((System.nanoTime() - started) * 1e-9);
  }

  /**
   * The same without a constraint, in the spectral norm: the optimum is G's nuclear norm. NaN where
   * the host could not hold it, and of what is not finite.
   */
  static void ofFree(Matrices g, Matrices a, Effort effort) {
    long started = System.nanoTime();
    for (int k = 0; k < g.count(); k++) {
      free(g.matrix(k), a.matrix(k), k, effort);
    }
    effort.optimumSeconds((System.nanoTime() - started) * 1e-9);
  }

  private static synchronized void free(Matrices g, Matrices a, int k, Effort effort) {
    if (!covers(g.rows(), g.cols())) {
      return;
    }
    double[] hostG = read(g);
    double[] hostA = read(a);
    if (!finite(hostG) || !finite(hostA)) {
      return;
    }
    double inner = 0;
    for (int i = 0; i < hostG.length; i++) {
      inner += hostG[i] * hostA[i];
    }
    double size = Float64.singularValues(a.rows(), a.cols(), hostA)[0];
    double nuclear = Arrays.stream(Float64.singularValues(g.rows(), g.cols(), hostG)).sum();
    effort.optimum(k, nuclear, inner / Math.max(1, size));
  }

  private static synchronized void one(Matrices u, Matrices g, Matrices a, int k, Effort effort) {
    double[] hostU = read(u);
    double[] hostG = read(g);
    double[] hostA = read(a);
    if (!finite(hostG) || !finite(hostA)) {
      return;
    }
    effort.optimum(
        k,
        optimum(u.rows(), u.cols(), hostU, hostG),
        feasible(u.rows(), u.cols(), hostU, hostG, hostA));
  }

  /** Whether there is anything to decompose. The step itself refuses what is not finite. */
  private static boolean finite(double[] x) {
    return Arrays.stream(x).allMatch(Double::isFinite);
  }

  private static double[] read(Matrices x) {
    double[] values = new double[Math.toIntExact(x.matrixFloats())];
    int length = x.storedCols();
    ByteBuffer row = ByteBuffer.allocate(length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < x.storedRows(); i++) {
      row.clear();
      x.memory().send(x.offset() + (long) i * x.ld(), ElementType.FLOAT32, row);
      for (int j = 0; j < length; j++) {
        int at = x.transposed() ? j * x.cols() + i : i * x.cols() + j;
        values[at] = row.getFloat(j * Float.BYTES);
      }
    }
    return values;
  }

  /** ½‖GUᵀ − UGᵀ‖_*. */
  static double optimum(int m, int n, double[] u, double[] g) {
    if (m <= 2 * n) {
      double[] p = Float64.product(m, m, n, g, false, u, true);
      return halfNuclearNorm(m, minusTranspose(m, p));
    }
    double[] b = Float64.product(n, n, m, u, true, g, false);
    double[] rest = minus(g, Float64.product(m, n, n, u, false, b, false));
    double[] r = Float64.triangularFactor(m, n, rest);
    double[] skew = minusTranspose(n, b);
    int order = 2 * n;
    double[] k = new double[order * order];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        k[i * order + j] = skew[i * n + j];
        k[(n + i) * order + j] = r[i * n + j];
        k[j * order + n + i] = -r[i * n + j];
      }
    }
    return halfNuclearNorm(order, k);
  }

  private static double halfNuclearNorm(int n, double[] x) {
    double sum = 0;
    for (double sigma : Float64.singularValues(n, n, x)) {
      sum += sigma;
    }
    return sum / 2;
  }

  /** ⟨G, P(A)⟩ / max(1, ‖P(A)‖), P(A) = A − U sym(UᵀA). */
  static double feasible(int m, int n, double[] u, double[] g, double[] a) {
    double[] b = Float64.product(n, n, m, u, true, a, false);
    double[] symmetric = new double[b.length];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        symmetric[i * n + j] = (b[i * n + j] + b[j * n + i]) / 2;
      }
    }
    double[] p = minus(a, Float64.product(m, n, n, u, false, symmetric, false));
    double inner = 0;
    for (int i = 0; i < p.length; i++) {
      inner += g[i] * p[i];
    }
    return inner / Math.max(1, Float64.singularValues(m, n, p)[0]);
  }

  private static double[] minusTranspose(int n, double[] x) {
    double[] y = new double[x.length];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        y[i * n + j] = x[i * n + j] - x[j * n + i];
      }
    }
    return y;
  }

  private static double[] minus(double[] x, double[] y) {
    double[] z = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      z[i] = x[i] - y[i];
    }
    return z;
  }
}
