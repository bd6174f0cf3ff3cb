package io.muond.server.engine.cpu;

import io.muond.server.engine.Compute;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import java.util.Arrays;

/** The operations on the CPU: products by OpenBLAS, the rest in Java on cache-sized chunks. */
final class CpuCompute implements Compute {
  private final Elementwise elementwise;
  private final Descent descent;
  private final Tiles tiles;
  private final Products products;
  private final Rows rows;
  private final Cholesky cholesky;
  private final Power power = new Power(this);

  CpuCompute(Workers workers) {
    elementwise = new Elementwise(workers);
    descent = new Descent(workers);
    tiles = new Tiles(workers);
    products = new Products(workers);
    rows = new Rows(workers);
    cholesky = new Cholesky(workers);
  }

  static CpuMemory memory(Matrices x) {
    if (x.type() != ElementType.FLOAT32) {
      throw new IllegalArgumentException("elements: " + x.type() + " (expected: FLOAT32)");
    }
    return (CpuMemory) x.memory();
  }

  @Override
  public double[] read(Scalars scalars) {
    CpuMemory memory = (CpuMemory) scalars.memory();
    double[] values = new double[scalars.count()];
    for (int k = 0; k < values.length; k++) {
      values[k] = memory.getDouble(scalars.offset() + (long) Scalars.FLOATS * k);
    }
    return values;
  }

  @Override
  public void write(double[] values, Scalars s) {
    if (values.length != s.count()) {
      throw new IllegalArgumentException(values.length + " values for " + s.count() + " numbers");
    }
    CpuMemory memory = (CpuMemory) s.memory();
    for (int k = 0; k < values.length; k++) {
      memory.putDouble(s.offset() + (long) Scalars.FLOATS * k, values[k]);
    }
  }

  @Override
  public void copy(Matrices x, Matrices y) {
    combine(1, x, 0, y);
  }

  @Override
  public void combine(double alpha, Matrices x, double beta, Matrices y) {
    elementwise.update(x, y, beta != 0, (k, xs, ys, n) -> combine(alpha, xs, beta, ys, n));
  }

  @Override
  public void combineEach(double alpha, Scalars s, Matrices x, double beta, Matrices y) {
    combineEach(alpha, read(s), x, beta, y);
  }

  private void combineEach(double alpha, double[] factors, Matrices x, double beta, Matrices y) {
    elementwise.update(
        x, y, beta != 0, (k, xs, ys, n) -> combine(alpha * factors[k], xs, beta, ys, n));
  }

  @Override
  public void momentum(double beta, boolean nesterov, Matrices m, Matrices g, Matrices taken) {
    combine(beta, m, 1, g);
    if (nesterov) {
      copy(m, taken);
      combine(1 + beta, g, -beta, taken);
    }
  }

  private static void combine(double alpha, float[] x, double beta, float[] y, int n) {
    float a = (float) alpha;
    float b = (float) beta;
    if (b == 0) {
      for (int i = 0; i < n; i++) {
        y[i] = a * x[i];
      }
    } else {
      for (int i = 0; i < n; i++) {
        y[i] = a * x[i] + b * y[i];
      }
    }
  }

  @Override
  public void signs(Matrices x, Matrices y) {
    elementwise.update(x, y, false, (k, xs, ys, n) -> Descent.signs(xs, ys, n));
  }

  @Override
  public void descend(Scalars keep, Scalars step, Matrices w, Matrices a, Matrices y) {
    descent.descend(read(keep), read(step), w, a, y);
  }

  @Override
  public void adamw(
      double beta1,
      double beta2,
      double epsilon,
      Scalars corrections,
      Matrices m,
      Matrices v,
      Matrices g,
      Matrices next,
      Matrices a) {
    double[] c = read(corrections);
    Descent.AdamW rule = new Descent.AdamW(beta1, beta2, epsilon, c[0], c[1]);
    descent.adamw(rule, new Descent.Moments(m, v, g, next, a));
  }

  @Override
  public void divide(Matrices x, Scalars s, Matrices y) {
    double[] by = read(s);
    elementwise.update(
        x,
        y,
        false,
        (k, xs, ys, n) -> {
          // In float64: 1 / s may overflow float32 where x / s does not.
          double factor = by[k] == 0 ? 0 : 1 / by[k];
          for (int i = 0; i < n; i++) {
            ys[i] = (float) (factor * xs[i]);
          }
        });
  }

  @Override
  public void copyWhereZero(Scalars s, Matrices x, Matrices y) {
    double[] values = read(s);
    for (int k = 0; k < values.length; k++) {
      if (values[k] == 0) {
        copy(x.matrix(k), y.matrix(k));
      }
    }
  }

  @Override
  public void maxAbs(Matrices x, Scalars s) {
    write(
        elementwise.reduce(x, x, (xs, ys, n) -> Elementwise.maxAbs(xs, n), Elementwise::larger), s);
  }

  @Override
  public void frobenius(Matrices x, Scalars s) {
    write(squareRoots(dot(x, x)), s);
  }

  @Override
  public void zeroRounding(double relative, Scalars of, Scalars s) {
    double[] sizes = read(of);
    double[] values = read(s);
    Arrays.setAll(values, k -> values[k] <= relative * sizes[k] ? 0 : values[k]);
    write(values, s);
  }

  @Override
  public void distance(Matrices x, Matrices y, Scalars s) {
    write(
        squareRoots(elementwise.reduce(x, y, Elementwise::sumOfSquaredDifferences, Double::sum)),
        s);
  }

  private static double[] squareRoots(double[] values) {
    return Arrays.stream(values).map(Math::sqrt).toArray();
  }

  @Override
  public void dot(Matrices x, Matrices y, Scalars s) {
    write(dot(x, y), s);
  }

  /** ⟨x, y⟩. */
  double[] dot(Matrices x, Matrices y) {
    return elementwise.reduce(x, y, Elementwise::sumOfProducts, Double::sum);
  }

  @Override
  public void frobeniusOfSymmetricPart(Matrices x, Scalars s) {
    tiles.pairs(x, x, (here, mirrored) -> here + mirrored);
    frobenius(x, s);
  }

  @Override
  public void product(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices c,
      Precision precision) {
    products.product(alpha, a, aT, b, bT, beta, c);
  }

  @Override
  public void symmetricProduct(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices e,
      double delta,
      Matrices c,
      Precision precision) {
    Prefill prefill = e == null && delta == 0 ? null : new Prefill(beta, e, delta);
    products.half(alpha, a, aT, b, bT, c, 1, prefill);
  }

  @Override
  public void skewProduct(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      Matrices c,
      Precision precision) {
    products.half(alpha, a, aT, b, bT, c, -1, null);
  }

  @Override
  public void scaledPolynomial(
      double a, double b, double c, Scalars f, Matrices s, Matrices s2, Matrices p) {
    double[] norms = read(f);
    if (p.offset() != s2.offset() || p.memory() != s2.memory()) {
      copy(s2, p);
    }
    double[] inverse = new double[norms.length];
    for (int k = 0; k < norms.length; k++) {
      inverse[k] = norms[k] == 0 ? 0 : 1 / norms[k];
    }
    elementwise.update(
        s,
        p,
        true,
        (k, ss, ps, n) -> {
          double root = Math.sqrt(Math.sqrt(inverse[k]));
          float forS = (float) (b * root * root * root);
          float forS2 = (float) (c * root * inverse[k]);
          for (int i = 0; i < n; i++) {
            ps[i] = forS * ss[i] + forS2 * ps[i];
          }
        });
    for (int k = 0; k < norms.length; k++) {
      addIdentity(a * Math.sqrt(Math.sqrt(inverse[k])), p.matrix(k));
    }
  }

  @Override
  public void skew(Matrices x, Matrices y) {
    tiles.pairs(x, y, (here, mirrored) -> here - mirrored);
  }

  @Override
  public void symmetrize(Matrices x, Matrices y) {
    tiles.pairs(x, y, (here, mirrored) -> 0.5f * (here + mirrored));
  }

  @Override
  public void largestEigenvalue(Matrices h, Matrices v, Matrices w, int iterations, Scalars s) {
    power.largestEigenvalue(h, v, w, iterations, s);
  }

  @Override
  public void capBySquareRoot(Scalars s, Matrices y) {
    double[] factors = Arrays.stream(read(s)).map(x -> 1 / Math.max(1, Math.sqrt(x))).toArray();
    combineEach(1, factors, y, 0, y);
  }

  @Override
  public void negativeTranspose(Matrices x, Matrices y) {
    tiles.negativeTranspose(x, y);
  }

  @Override
  public void addIdentity(double delta, Matrices x) {
    float[] one = new float[1];
    for (int k = 0; k < x.count(); k++) {
      for (int i = 0; i < x.rows(); i++) {
        long at = x.offset() + k * x.stride() + (long) i * x.ld() + i;
        memory(x).get(at, one, 0, 1);
        one[0] += (float) delta;
        memory(x).put(at, one, 0, 1);
      }
    }
  }

  @Override
  public void zero(Matrices x) {
    elementwise.update(x, x, false, (k, xs, ys, n) -> Arrays.fill(ys, 0, n, 0f));
  }

  @Override
  public void cholesky(double relative, double absolute, Matrices x) {
    cholesky.factor(relative, absolute, x);
  }

  @Override
  public void solveUpper(Matrices r, Matrices x) {
    products.solveUpper(r, x);
  }

  @Override
  public void rowDirections(Matrices w, Matrices g, Matrices a, Scalars objective) {
    write(rows.directions(w, g, a), objective);
  }

  @Override
  public void centerRows(Matrices x, Matrices y) {
    rows.center(x, y);
  }

  @Override
  public void normalizeRows(double radius, boolean centered, Matrices x, Matrices y) {
    rows.normalize(radius, centered, x, y);
  }

  @Override
  public void moveRows(
      double radius, boolean centered, Scalars eta, Matrices w, Matrices a, Matrices y) {
    rows.move(radius, centered, read(eta), w, a, y);
  }

  @Override
  public void rowResiduals(
      double radius,
      boolean centered,
      Matrices w,
      Matrices a,
      Matrices y,
      Scalars tangency,
      Scalars orthogonality) {
    double[] inner = new double[w.count()];
    double[] excess = new double[w.count()];
    rows.residuals(radius, centered, w, a, y, inner, excess);
    write(inner, tangency);
    write(excess, orthogonality);
  }
}
