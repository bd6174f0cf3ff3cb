package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;
import java.util.Arrays;

/**
 * Row-by-row operations of the oblique manifold. Rows may be long; each is walked in chunks, in
 * float64, scaled by its largest element so that no square overflows or vanishes.
 */
final class Rows {
  /** ‖x − mean‖² as a part of ‖x‖² up to which the elements of a row count as equal: rounding. */
  private static final double EQUAL_ELEMENTS = 1e-14;

  /** ‖P(g)‖ per √n, where max |g| = 1, up to which it is the rounding of its two terms. */
  private static final double NORMAL_GRADIENT = 1e-7;

  private final Workers workers;

  Rows(Workers workers) {
    this.workers = workers;
  }

  @FunctionalInterface
  private interface Body {
    void run(int matrix, int row);
  }

  private void forEach(Matrices x, Body body) {
    int rows = x.storedRows();
    long elements = x.matrixFloats() * x.count();
    int total = Math.multiplyExact(rows, x.count());
    workers.forEach(total, elements, row -> body.run(row / rows, row % rows));
  }

  /** a ← P(g) / ‖P(g)‖ per row; returns Σ ‖P(g)‖ per matrix. */
  double[] directions(Matrices w, Matrices g, Matrices a) {
    double[] norms = new double[Math.multiplyExact(w.storedRows(), w.count())];
    forEach(
        w,
        (k, i) -> {
          Row rw = new Row(w, k, i);
          Row rg = new Row(g, k, i);
          Row ra = new Row(a, k, i);
          double scale = rg.maxAbs();
          double ww = rw.dot(rw, 1, 1);
          double along = scale == 0 || ww == 0 ? 0 : rg.dot(rw, 1 / scale, 1) / ww;
          double square = 0;
          for (long at = 0; at < rg.length; at += Runs.CHUNK) {
            Scratch s = Scratch.get();
            int n = rg.get(at, s.x);
            rw.get(at, s.y);
            for (int e = 0; e < n; e++) {
              float p = scale == 0 ? 0 : (float) (s.x[e] / scale - along * s.y[e]);
              s.z[e] = p;
              square += (double) p * p;
            }
            ra.put(at, s.z, n);
          }
          double norm = Math.sqrt(square);
          boolean zero = norm <= NORMAL_GRADIENT * Math.sqrt((double) rg.length);
          ra.scale(zero ? 0 : 1 / norm);
          norms[k * w.storedRows() + i] = zero ? 0 : norm * scale;
        });
    return sums(norms, w.count());
  }

  private static double[] sums(double[] rows, int count) {
    double[] sums = new double[count];
    int perMatrix = rows.length / count;
    for (int i = 0; i < rows.length; i++) {
      sums[i / perMatrix] += rows[i];
    }
    return sums;
  }

  /** y ← x − mean per row. */
  void center(Matrices x, Matrices y) {
    forEach(x, (k, i) -> center(new Row(x, k, i), new Row(y, k, i)));
  }

  private static void center(Row x, Row y) {
    // Around the first element, so that the sums of equal elements are exactly 0.
    double origin = x.first();
    double sum = x.sum(origin);
    double square = x.squares(origin);
    double mean = origin + sum / x.length;
    // What is left of a row, if it is nothing but the rounding of its elements, is zero.
    if (square - sum / x.length * sum <= EQUAL_ELEMENTS * x.squares(0)) {
      y.fill(0);
      return;
    }
    for (long at = 0; at < x.length; at += Runs.CHUNK) {
      float[] s = Scratch.get().x;
      int n = x.get(at, s);
      for (int e = 0; e < n; e++) {
        s[e] = (float) (s[e] - mean);
      }
      y.put(at, s, n);
    }
  }

  /** y ← radius x / ‖x‖ per row. */
  void normalize(double radius, boolean centered, Matrices x, Matrices y) {
    forEach(x, (k, i) -> normalize(radius, centered, new Row(x, k, i), new Row(y, k, i)));
  }

  private static void normalize(double radius, boolean centered, Row x, Row y) {
    double scale = x.maxAbs();
    if (scale == 0) {
      y.fill(0);
      float half = (float) (Math.sqrt(0.5) * radius);
      float[] instead = centered ? new float[] {half, -half} : new float[] {(float) radius};
      y.memory.put(y.start, instead, 0, instead.length);
      return;
    }
    double norm = scale * Math.sqrt(x.dot(x, 1 / scale, 1 / scale));
    y.copyFrom(x, radius / norm);
  }

  /** y ← radius v / ‖v‖, v = w − radius η a, per row. */
  void move(double radius, boolean centered, double[] eta, Matrices w, Matrices a, Matrices y) {
    forEach(
        w,
        (k, i) -> {
          Row rw = new Row(w, k, i);
          Row ra = new Row(a, k, i);
          Row ry = new Row(y, k, i);
          ry.copyFrom(rw, 1);
          if (ra.maxAbs() == 0 || eta[k] == 0) {
            return;
          }
          for (long at = 0; at < rw.length; at += Runs.CHUNK) {
            Scratch s = Scratch.get();
            int n = rw.get(at, s.x);
            ra.get(at, s.y);
            for (int e = 0; e < n; e++) {
              s.x[e] = (float) (s.x[e] - radius * eta[k] * s.y[e]);
            }
            ry.put(at, s.x, n);
          }
          if (centered) {
            center(ry, ry);
          }
          normalize(radius, centered, ry, ry);
        });
  }

  /**
   * Fills the root mean square of ⟨w, a⟩ / radius and max |‖y‖² / radius² − 1| of the rows;
   * centered, with what the means of a and y are.
   */
  void residuals(
      double radius,
      boolean centered,
      Matrices w,
      Matrices a,
      Matrices y,
      double[] tangency,
      double[] norms) {
    int rows = w.storedRows();
    double[] inner = new double[Math.multiplyExact(rows, w.count())];
    double[] excess = new double[inner.length];
    forEach(
        w,
        (k, i) -> {
          Row rw = new Row(w, k, i);
          Row ra = new Row(a, k, i);
          Row ry = new Row(y, k, i);
          double along = rw.dot(ra, 1 / radius, 1);
          double square = along * along;
          double off = Math.abs(ry.dot(ry, 1 / radius, 1 / radius) - 1);
          if (centered) {
            square += ra.sum(0) * ra.sum(0) / ra.length;
            off = Math.max(off, Math.abs(ry.sum(0) / radius) / Math.sqrt((double) ry.length));
          }
          inner[k * rows + i] = square;
          excess[k * rows + i] = off;
        });
    double[] sums = sums(inner, w.count());
    for (int k = 0; k < w.count(); k++) {
      tangency[k] = Math.sqrt(sums[k] / rows);
      norms[k] = 0;
      for (int i = 0; i < rows; i++) {
        norms[k] = Math.max(norms[k], excess[k * rows + i]);
      }
    }
  }

  /** One stored row of one matrix. */
  private static final class Row {
    private final CpuMemory memory;
    private final long start;
    private final long length;

    Row(Matrices x, int k, int i) {
      memory = CpuCompute.memory(x);
      start = x.offset() + k * x.stride() + (long) i * x.ld();
      length = x.storedCols();
    }

    int get(long at, float[] to) {
      int n = (int) Math.min(Runs.CHUNK, length - at);
      memory.get(start + at, to, 0, n);
      return n;
    }

    void put(long at, float[] from, int n) {
      memory.put(start + at, from, 0, n);
    }

    double maxAbs() {
      double max = 0;
      for (long at = 0; at < length; at += Runs.CHUNK) {
        float[] x = Scratch.get().x;
        max = Elementwise.larger(max, Elementwise.maxAbs(x, get(at, x)));
      }
      return max;
    }

    double first() {
      float[] x = new float[1];
      memory.get(start, x, 0, 1);
      return x[0];
    }

    /** Σ (x − origin). */
    double sum(double origin) {
      double sum = 0;
      for (long at = 0; at < length; at += Runs.CHUNK) {
        float[] x = Scratch.get().x;
        int n = get(at, x);
        for (int e = 0; e < n; e++) {
          sum += x[e] - origin;
        }
      }
      return sum;
    }

    /** Σ (x − origin)². */
    double squares(double origin) {
      double sum = 0;
      for (long at = 0; at < length; at += Runs.CHUNK) {
        float[] x = Scratch.get().x;
        int n = get(at, x);
        for (int e = 0; e < n; e++) {
          sum += (x[e] - origin) * (x[e] - origin);
        }
      }
      return sum;
    }

    void fill(float value) {
      float[] x = Scratch.get().x;
      Arrays.fill(x, value);
      for (long at = 0; at < length; at += Runs.CHUNK) {
        put(at, x, (int) Math.min(Runs.CHUNK, length - at));
      }
    }

    /** ⟨α this, β other⟩. */
    double dot(Row other, double alpha, double beta) {
      double sum = 0;
      for (long at = 0; at < length; at += Runs.CHUNK) {
        Scratch s = Scratch.get();
        int n = get(at, s.x);
        other.get(at, s.y);
        for (int e = 0; e < n; e++) {
          sum += alpha * s.x[e] * (beta * s.y[e]);
        }
      }
      return sum;
    }

    void scale(double alpha) {
      copyFrom(this, alpha);
    }

    void copyFrom(Row x, double alpha) {
      for (long at = 0; at < length; at += Runs.CHUNK) {
        float[] s = Scratch.get().x;
        int n = x.get(at, s);
        if (alpha != 1) {
          for (int e = 0; e < n; e++) {
            s[e] = (float) (alpha * s[e]);
          }
        }
        put(at, s, n);
      }
    }
  }
}
