package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.AccurateProducts.Operand;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;

/**
 * A = P(G) / ‖P(G)‖_F with P(G) = G − U sym(UᵀG): steepest descent in the Frobenius norm. Projected
 * twice, so that A is tangent however little of G is; for square matrices P(G) = U skew(UᵀG) is
 * tangent by construction, and exactly 0 for 1 × 1. Where G is normal (W S with S symmetric), what
 * is left is rounding, and the direction 0.
 */
final class FrobeniusDirection implements Direction {
  /**
   * ‖P(G)‖_F of a normal G, in parts of ‖G‖_F, was at most 1.3e-6 on either engine, from 3 × 2 to
   * 2048 × 1024: what is no larger than three times that has no direction to speak of.
   */
  private static final double NORMAL = 4e-6;

  private final Compute compute;
  private final Shape shape;
  private final TangentProjection tangent;

  FrobeniusDirection(Compute compute, Shape shape) {
    this.compute = compute;
    this.shape = shape;
    tangent = new TangentProjection(compute, shape, Precision.FLOAT32);
  }

  @Override
  public Buffers carve(Carver carver) {
    return new Solve(carver);
  }

  private final class Solve implements Buffers {
    private final TangentProjection.Buffers projection;
    private final Scalars norm;
    private final Scalars whole;

    Solve(Carver carver) {
      projection = tangent.carve(carver);
      norm = carver.scalars();
      whole = carver.scalars();
    }

    @Override
    public void solve(Matrices u, Matrices g, Matrices a, Effort effort) {
      Flops flops = effort.each();
      compute.frobenius(g, whole);
      Operand byU = Operand.exact(u);
      if (shape.m() == shape.n()) {
        square(byU, g, a, flops);
      } else {
        tangent.project(byU, g, projection, flops);
        tangent.project(byU, g, projection, flops);
        compute.copy(g, a);
      }
      compute.frobenius(a, norm);
      compute.zeroRounding(NORMAL, whole, norm);
      compute.divide(a, norm, a);
    }

    /** a ← 2 P(g) = U (Uᵀg − gᵀU). */
    private void square(Operand u, Matrices g, Matrices a, Flops flops) {
      Matrices s = projection.s();
      tangent.inner(u, g, projection, flops);
      compute.skew(s, s);
      compute.product(1, u.whole(), false, s, false, 0, a, Precision.FLOAT32);
      flops.product(shape.m(), shape.n(), shape.n());
    }
  }
}
