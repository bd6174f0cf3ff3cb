package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;

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
  private final Workers alone = new Workers(1);

  Rows(Workers workers) {
    this.workers = workers;
  }

  @FunctionalInterface
  private interface Body {
    /**
     * @param crew who walk the row
     */
    void run(Workers crew, int matrix, int row);
  }

  /** Threads take rows of their own, or long ones together where there is none for each. */
  private void forEach(Matrices x, Body body) {
    int rows = x.storedRows();
    long elements = x.matrixFloats() * x.count();
    int total = Math.multiplyExact(rows, x.count());
    if (Row.isLong(x.storedCols()) && total < workers.threads()) {
      for (int row = 0; row < total; row++) {
        body.run(workers, row / rows, row % rows);
      }
    } else {
      workers.forEach(total, elements, row -> body.run(alone, row / rows, row % rows));
    }
  }

  /** a ← P(g) / ‖P(g)‖ per row; returns Σ ‖P(g)‖ per matrix. */
  double[] directions(Matrices w, Matrices g, Matrices a) {
    double[] norms = new double[Math.multiplyExact(w.storedRows(), w.count())];
    forEach(
        w,
        (crew, k, i) -> {
          Row rw = new Row(crew, w, k, i);
          Row rg = new Row(crew, g, k, i);
          Row ra = new Row(crew, a, k, i);
          double scale = rg.maxAbs();
          double ww = rw.dot(rw, 1, 1);
          double along = scale == 0 || ww == 0 ? 0 : rg.dot(rw, 1 / scale, 1) / ww;
          double norm = Math.sqrt(project(rg, scale, rw, along, ra));
          boolean zero = norm <= NORMAL_GRADIENT * Math.sqrt((double) rg.length);
          ra.copyFrom(ra, zero ? 0 : 1 / norm);
          norms[k * w.storedRows() + i] = zero ? 0 : norm * scale;
        });
    return sums(norms, w.count());
  }

  /** a ← g / scale − along w, or 0 where the scale is 0; returns ‖a‖². */
  private static double project(Row g, double scale, Row w, double along, Row a) {
    return a.sum(
        (square, at, n) -> {
          Scratch s = Scratch.get();
          g.get(at, s.x, n);
          w.get(at, s.y, n);
          for (int e = 0; e < n; e++) {
            float p = scale == 0 ? 0 : (float) (s.x[e] / scale - along * s.y[e]);
            s.z[e] = p;
            square += (double) p * p;
          }
          a.put(at, s.z, n);
          return square;
        });
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
    forEach(x, (crew, k, i) -> center(new Row(crew, x, k, i), new Row(crew, y, k, i)));
  }

  private static void center(Row x, Row y) {
    // Around the first element, so that the sums of equal elements are exactly 0.
    double origin = x.first();
    double sum = x.sum(origin);
    double square = x.squares(origin);
    double mean = origin + sum / x.length;
    // What is left of a row, if it is nothing but the rounding of its elements, is zero.
    if (square - sum / x.length * sum <= EQUAL_ELEMENTS * x.squares(0)) {
      y.fill();
      return;
    }
    y.each(
        (at, n) -> {
          float[] s = Scratch.get().x;
          x.get(at, s, n);
          for (int e = 0; e < n; e++) {
            s[e] = (float) (s[e] - mean);
          }
          y.put(at, s, n);
        });
  }

  /** y ← radius x / ‖x‖ per row. */
  void normalize(double radius, boolean centered, Matrices x, Matrices y) {
    forEach(
        x,
        (crew, k, i) ->
            normalize(radius, centered, new Row(crew, x, k, i), new Row(crew, y, k, i)));
  }

  private static void normalize(double radius, boolean centered, Row x, Row y) {
    double scale = x.maxAbs();
    if (scale == 0) {
      float half = (float) (Math.sqrt(0.5) * radius);
      y.fill(centered ? new float[] {half, -half} : new float[] {(float) radius});
      return;
    }
    double norm = scale * Math.sqrt(x.dot(x, 1 / scale, 1 / scale));
    y.copyFrom(x, radius / norm);
  }

  /** y ← radius v / ‖v‖, v = w − radius η a, per row. */
  void move(double radius, boolean centered, double[] eta, Matrices w, Matrices a, Matrices y) {
    forEach(
        w,
        (crew, k, i) -> {
          Row rw = new Row(crew, w, k, i);
          Row ra = new Row(crew, a, k, i);
          Row ry = new Row(crew, y, k, i);
          ry.copyFrom(rw, 1);
          if (ra.maxAbs() == 0 || eta[k] == 0) {
            return;
          }
          ry.each(
              (at, n) -> {
                Scratch s = Scratch.get();
                rw.get(at, s.x, n);
                ra.get(at, s.y, n);
                for (int e = 0; e < n; e++) {
                  s.x[e] = (float) (s.x[e] - radius * eta[k] * s.y[e]);
                }
                ry.put(at, s.x, n);
              });
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
        (crew, k, i) -> {
          Row rw = new Row(crew, w, k, i);
          Row ra = new Row(crew, a, k, i);
          Row ry = new Row(crew, y, k, i);
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
}
