package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;

/**
 * A = P(G) / ‖P(G)‖_F with P(G) = G − U sym(UᵀG): steepest descent in the Frobenius norm. Projected
 * twice, so that A is tangent however little of G is; for square matrices P(G) = U skew(UᵀG) is
 * tangent by construction, and exactly 0 for 1 × 1. Where G is normal (W S with S symmetric), what
 * is left is rounding, and the direction 0.
 */
final class FrobeniusDirection extends StiefelDirection {
  /**
   * ‖P(G)‖_F of a normal G, in parts of ‖G‖_F, was at most 1.3e-6 on either engine, from 3 × 2 to
   * 2048 × 1024: what is no larger than three times that has no direction to speak of.
   */
  private static final double NORMAL = 4e-6;

  FrobeniusDirection(Compute compute, Shape shape, Rule rule) {
    super(compute, shape, rule);
  }

  @Override
  public boolean scaleInvariant() {
    return true;
  }

  @Override
  public boolean tangent() {
    return true;
  }

  @Override
  public Buffers carve(Carver carver) {
    return new Solve(carver);
  }

  private final class Solve implements Buffers {
    private final Matrices s;
    private final Scalars norm;
    private final Scalars whole;

    Solve(Carver carver) {
      s = carver.matrices(n, n);
      norm = carver.scalars();
      whole = carver.scalars();
    }

    @Override
    public void solve(Matrices u, Matrices g, Matrices a, Effort effort) {
      Flops flops = effort.each();
      compute.frobenius(g, whole);
      if (m == n) {
        inner(u, g, flops);
        compute.skew(s, s);
        compute.product(1, u, false, s, false, 0, a, Precision.FLOAT32);
        flops.product(m, n, n);
      } else {
        project(u, g, flops);
        project(u, g, flops);
        compute.copy(g, a);
      }
      compute.frobenius(a, norm);
      compute.zeroRounding(NORMAL, whole, norm);
      compute.divide(a, norm, a);
    }

    /** s ← Uᵀx. */
    private void inner(Matrices u, Matrices x, Flops flops) {
      compute.product(1, u, true, x, false, 0, s, Precision.FLOAT32);
      flops.product(n, n, m);
    }

    /** x ← x − U sym(Uᵀx). */
    private void project(Matrices u, Matrices x, Flops flops) {
      inner(u, x, flops);
      compute.symmetrize(s, s);
      compute.product(-1, u, false, s, false, 1, x, Precision.FLOAT32);
      flops.product(m, n, n);
    }
  }
}
