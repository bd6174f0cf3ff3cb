package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;

/** Steps without a constraint, element by element. */
final class Descent {
  private final Workers workers;

  Descent(Workers workers) {
    this.workers = workers;
  }

  static void signs(float[] x, float[] y, int n) {
    for (int i = 0; i < n; i++) {
      y[i] = x[i] > 0 ? 1 : x[i] < 0 ? -1 : 0;
    }
  }

  private static void get(Matrices x, int matrix, long from, float[] to, int n) {
    CpuCompute.memory(x).get(Runs.index(x, matrix, from), to, 0, n);
  }

  private static void put(Matrices x, int matrix, long from, float[] values, int n) {
    CpuCompute.memory(x).put(Runs.index(x, matrix, from), values, 0, n);
  }

  /** y_k ← keep_k w_k − step_k a_k, without the second term where it is 0. */
  void descend(double[] keep, double[] step, Matrices w, Matrices a, Matrices y) {
    new Runs(w, a, y)
        .forEach(
            workers,
            (k, chunk, from, n) -> {
              Scratch s = Scratch.get();
              get(w, k, from, s.x, n);
              get(a, k, from, s.y, n);
              descend((float) keep[k], (float) step[k], s.x, s.y, n);
              put(y, k, from, s.x, n);
            });
  }

  private static void descend(float keep, float step, float[] w, float[] a, int n) {
    for (int i = 0; i < n; i++) {
      float down = step * a[i];
      float from = keep * w[i];
      w[i] = down == 0 ? from : from - down;
    }
  }

  /**
   * AdamW's settings for one step.
   *
   * @param c1 the first moment's correction
   * @param root that of the second moment's square root
   */
  record AdamW(double beta1, double beta2, double epsilon, double c1, double root) {
    /** m, g and v become M', the direction and V'. */
    void apply(float[] m, float[] g, float[] v, int n) {
      float b1 = (float) beta1;
      float b2 = (float) beta2;
      float plus = (float) epsilon;
      float c = (float) c1;
      float r = (float) root;
      for (int i = 0; i < n; i++) {
        float x = g[i];
        m[i] = b1 * m[i] + (1 - b1) * x;
        v[i] = b2 * v[i] + (1 - b2) * (x * x);
        float size = r * (float) Math.sqrt(v[i]) + plus;
        // Nothing divided by infinity would pass for a step of 0.
        g[i] = Float.isInfinite(size) ? Float.NaN : c * m[i] / size;
      }
    }
  }

  /** What a step of AdamW reads (m, v, g) and writes (g, next, a). */
  record Moments(Matrices m, Matrices v, Matrices g, Matrices next, Matrices a) {}

  void adamw(AdamW rule, Moments of) {
    new Runs(of.m, of.v, of.g, of.next, of.a)
        .forEach(
            workers,
            (k, chunk, from, n) -> {
              Scratch s = Scratch.get();
              get(of.m, k, from, s.x, n);
              get(of.g, k, from, s.y, n);
              get(of.v, k, from, s.z, n);
              rule.apply(s.x, s.y, s.z, n);
              put(of.g, k, from, s.x, n);
              put(of.a, k, from, s.y, n);
              put(of.next, k, from, s.z, n);
            });
  }
}
