package io.muond.server.linalg;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import java.util.List;

/**
 * msign(X) = UVᵀ for X = UΣVᵀ, by Polar Express: X ← X (aI + bS + cS²), S = XᵀX. The first
 * iteration computes S² anyway, and ‖S²‖_F^{1/4} ≥ ‖X‖ is a far tighter scale than ‖X‖_F. A zero
 * matrix stays zero. Elements should be of moderate size: callers divide by the largest.
 */
public final class MatrixSign {
  private final Compute compute;
  private final List<PolarExpress.Quintic> schedule;
  private final Precision precision;

  public MatrixSign(Compute compute, int steps, Precision precision) {
    this.compute = compute;
    this.schedule = PolarExpress.schedule(steps);
    this.precision = precision;
  }

  /** Intermediates: {@code next} like X, and two symmetric matrices of X's number of columns. */
  public record Buffers(Matrices next, Matrices s, Matrices p, Scalars scale) {}

  public int steps() {
    return schedule.size();
  }

  /**
   * msign of an m × n matrix, m ≥ n.
   *
   * @return where the result is: x or {@code buffers.next}
   */
  public Matrices general(Matrices x, Buffers buffers, Flops flops) {
    Matrices from = x;
    Matrices to = buffers.next();
    for (int k = 0; k < schedule.size(); k++) {
      polynomial(k, from, buffers, flops);
      compute.product(1, from, false, buffers.p(), false, 0, to, precision);
      flops.product(x.rows(), x.cols(), x.cols());
      Matrices swap = from;
      from = to;
      to = swap;
    }
    return from;
  }

  /**
   * msign of a skew n × n matrix: every product is half a product, and the result exactly skew.
   *
   * @param columns how many columns of the result are wanted; the others are undefined
   */
  public Matrices skew(Matrices x, int columns, Buffers buffers, Flops flops) {
    Matrices from = x;
    Matrices to = buffers.next();
    int n = x.rows();
    for (int k = 0; k < schedule.size(); k++) {
      polynomial(k, from, buffers, flops);
      if (k < schedule.size() - 1 || columns == n) {
        compute.skewProduct(1, from, false, buffers.p(), false, to, precision);
        flops.half(n, n);
      } else {
        firstColumns(from, columns, buffers.p(), to, flops);
      }
      Matrices swap = from;
      from = to;
      to = swap;
    }
    return from;
  }

  private void firstColumns(Matrices x, int columns, Matrices p, Matrices to, Flops flops) {
    int n = x.rows();
    Matrices wanted = p.block(0, 0, n, columns);
    compute.skewProduct(
        1,
        x.block(0, 0, columns, n),
        false,
        wanted,
        false,
        to.block(0, 0, columns, columns),
        precision);
    flops.half(columns, n);
    compute.product(
        1,
        x.block(columns, 0, n - columns, n),
        false,
        wanted,
        false,
        0,
        to.block(columns, 0, n - columns, columns),
        precision);
    flops.product(n - columns, columns, n);
  }

  /** p ← aI + bS + cS² of iteration k. */
  private void polynomial(int k, Matrices x, Buffers buffers, Flops flops) {
    PolarExpress.Quintic q = schedule.get(k);
    Matrices s = buffers.s();
    Matrices p = buffers.p();
    compute.symmetricProduct(1, x, true, x, false, 0, null, 0, s, precision);
    flops.half(x.cols(), x.rows());
    flops.half(x.cols(), x.cols());
    if (k > 0) {
      compute.symmetricProduct(q.c(), s, false, s, false, q.b(), s, q.a(), p, precision);
      return;
    }
    compute.symmetricProduct(1, s, false, s, false, 0, null, 0, p, precision);
    compute.frobenius(p, buffers.scale());
    compute.scaledPolynomial(q.a(), q.b(), q.c(), buffers.scale(), s, p, p);
  }
}
