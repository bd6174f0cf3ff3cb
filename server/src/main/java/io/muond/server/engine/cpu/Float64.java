package io.muond.server.engine.cpu;

import static org.bytedeco.openblas.global.openblas.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas.CblasTrans;

import java.util.Arrays;
import org.bytedeco.openblas.global.openblas;

/**
 * Float64 linear algebra on heap arrays, row-major, by OpenBLAS: for measurements that must not
 * share the rounding, or the algorithm, of what they measure. Slow; allocates.
 */
public final class Float64 {
  static {
    // Also where there is no engine that asks for it: whoever measures takes one thread, his own.
    Blas.useOneThread();
  }

  private Float64() {}

  /** op(a) op(b): m × n, inner dimension k. */
  public static double[] product(
      int m, int n, int k, double[] a, boolean aT, double[] b, boolean bT) {
    double[] c = new double[Math.multiplyExact(m, n)];
    openblas.cblas_dgemm(
        CblasRowMajor,
        aT ? CblasTrans : CblasNoTrans,
        bT ? CblasTrans : CblasNoTrans,
        m,
        n,
        k,
        1,
        a,
        aT ? m : k,
        b,
        bT ? k : n,
        0,
        c,
        n);
    return c;
  }

  /** Singular values of an m × n matrix, descending; {@code a} is destroyed. */
  public static double[] singularValues(int m, int n, double[] a) {
    double[] values = new double[Math.min(m, n)];
    int info =
        openblas.LAPACKE_dgesdd(
            openblas.LAPACK_ROW_MAJOR,
            (byte) 'N',
            m,
            n,
            a,
            n,
            values,
            new double[1],
            Math.max(1, m),
            new double[1],
            Math.max(1, n));
    if (info != 0) {
      throw new IllegalStateException("dgesdd of a " + m + " x " + n + " matrix returned " + info);
    }
    return values;
  }

  /** The n × n upper triangular factor of an m × n matrix, m ≥ n; {@code a} is destroyed. */
  public static double[] triangularFactor(int m, int n, double[] a) {
    int info = openblas.LAPACKE_dgeqrf(openblas.LAPACK_ROW_MAJOR, m, n, a, n, new double[n]);
    if (info != 0) {
      throw new IllegalStateException("dgeqrf of a " + m + " x " + n + " matrix returned " + info);
    }
    double[] r = Arrays.copyOf(a, Math.multiplyExact(n, n));
    for (int i = 1; i < n; i++) {
      Arrays.fill(r, i * n, i * n + i, 0);
    }
    return r;
  }
}
