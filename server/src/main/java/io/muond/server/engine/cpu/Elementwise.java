package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;

/** Element-wise operations and reductions, chunk by chunk. */
final class Elementwise {
  private final Workers workers;

  Elementwise(Workers workers) {
    this.workers = workers;
  }

  /** Changes y, given x. */
  @FunctionalInterface
  interface Update {
    void apply(int matrix, float[] x, float[] y, int length);
  }

  /** Sums or otherwise condenses a chunk of x (and y). */
  @FunctionalInterface
  interface Reduce {
    double apply(float[] x, float[] y, int length);
  }

  /** Joins the results of chunks, in their order. */
  @FunctionalInterface
  interface Join {
    double apply(double sum, double chunk);
  }

  /** y ← f(x, y); y is read only if {@code readY}. */
  void update(Matrices x, Matrices y, boolean readY, Update f) {
    new Runs(x, y)
        .forEach(
            workers,
            (matrix, chunk, from, length) -> {
              Scratch scratch = Scratch.get();
              CpuMemory to = CpuCompute.memory(y);
              long at = Runs.index(y, matrix, from);
              CpuCompute.memory(x).get(Runs.index(x, matrix, from), scratch.x, 0, length);
              if (readY) {
                to.get(at, scratch.y, 0, length);
              }
              f.apply(matrix, scratch.x, scratch.y, length);
              to.put(at, scratch.y, 0, length);
            });
  }

  /** Per matrix, the chunks' results joined from 0 on. */
  double[] reduce(Matrices x, Matrices y, Reduce f, Join join) {
    Runs runs = new Runs(x, y);
    double[] parts = new double[runs.chunks()];
    runs.forEach(
        workers,
        (matrix, chunk, from, length) -> {
          Scratch scratch = Scratch.get();
          CpuCompute.memory(x).get(Runs.index(x, matrix, from), scratch.x, 0, length);
          float[] second = scratch.x;
          if (!y.equals(x)) {
            second = scratch.y;
            CpuCompute.memory(y).get(Runs.index(y, matrix, from), second, 0, length);
          }
          parts[chunk] = f.apply(scratch.x, second, length);
        });
    double[] results = new double[x.count()];
    for (int chunk = 0; chunk < parts.length; chunk++) {
      int matrix = chunk / runs.chunksPerMatrix();
      results[matrix] = join.apply(results[matrix], parts[chunk]);
    }
    return results;
  }

  static double sumOfProducts(float[] x, float[] y, int n) {
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    int i = 0;
    for (; i + 3 < n; i += 4) {
      s0 += (double) x[i] * y[i];
      s1 += (double) x[i + 1] * y[i + 1];
      s2 += (double) x[i + 2] * y[i + 2];
      s3 += (double) x[i + 3] * y[i + 3];
    }
    for (; i < n; i++) {
      s0 += (double) x[i] * y[i];
    }
    return (s0 + s1) + (s2 + s3);
  }

  static double sumOfSquaredDifferences(float[] x, float[] y, int n) {
    double s0 = 0;
    double s1 = 0;
    int i = 0;
    for (; i + 1 < n; i += 2) {
      double d0 = (double) x[i] - y[i];
      double d1 = (double) x[i + 1] - y[i + 1];
      s0 += d0 * d0;
      s1 += d1 * d1;
    }
    for (; i < n; i++) {
      double d = (double) x[i] - y[i];
      s0 += d * d;
    }
    return s0 + s1;
  }

  /** The largest absolute value; NaN if there is one. */
  static double maxAbs(float[] x, int n) {
    int m0 = 0;
    int m1 = 0;
    int m2 = 0;
    int m3 = 0;
    int i = 0;
    // As integers, absolute values are ordered like the numbers, and NaN is above infinity.
    for (; i + 3 < n; i += 4) {
      m0 = Math.max(m0, Float.floatToRawIntBits(x[i]) & 0x7fffffff);
      m1 = Math.max(m1, Float.floatToRawIntBits(x[i + 1]) & 0x7fffffff);
      m2 = Math.max(m2, Float.floatToRawIntBits(x[i + 2]) & 0x7fffffff);
      m3 = Math.max(m3, Float.floatToRawIntBits(x[i + 3]) & 0x7fffffff);
    }
    for (; i < n; i++) {
      m0 = Math.max(m0, Float.floatToRawIntBits(x[i]) & 0x7fffffff);
    }
    return Float.intBitsToFloat(Math.max(Math.max(m0, m1), Math.max(m2, m3)));
  }

  /** The larger one; NaN if either is. */
  static double larger(double a, double b) {
    return Math.max(a, b);
  }
}
