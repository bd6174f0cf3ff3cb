package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.AccurateProducts;
import io.muond.server.linalg.AccurateProducts.Operand;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.linalg.MatrixSign;

/**
 * A = msign(P(G)), made tangent again and divided by its norm where that passes 1; P(G) = G − U
 * sym(UᵀG). SPEL (arXiv 2601.21487) with the projection. As cheap as plain Muon, feasible, not
 * optimal.
 */
final class ProjectedDirection extends StiefelDirection {
  /** Enough that the norm's estimate is within about 1 % for any spectrum. */
  private static final int POWER_ITERATIONS = 64;

  private final AccurateProducts accurate;
  private final TangentProjection tangent;

  ProjectedDirection(Compute compute, Shape shape, Rule rule) {
    super(compute, shape, rule);
    accurate = new AccurateProducts(compute, rule.precision());
    tangent = new TangentProjection(compute, shape, rule.precision());
  }

  @Override
  public Buffers carve(Carver carver) {
    return new Solve(carver);
  }

  private final class Solve implements Buffers {
    private final MatrixSign.Buffers sign;
    private final TangentProjection.Buffers projection;
    private final Matrices v;
    private final Matrices w;
    private final Scalars norm;

    Solve(Carver carver) {
      sign = forTall(carver);
      projection = tangent.carve(carver);
      v = carver.matrices(n, 1);
      w = carver.matrices(n, 1);
      norm = carver.scalars();
    }

    @Override
    public void solve(Matrices u, Matrices g, Matrices a, Effort effort) {
      Flops flops = effort.each();
      Operand byU = accurate.operand(u, projection.forU());
      tangent.project(byU, g, projection, flops);
      compute.maxAbs(g, norm);
      compute.divide(g, norm, g);
      Matrices direction = msign.general(g, sign, flops);
      tangent.project(byU, direction, projection, flops);
      compute.copy(direction, a);
      Matrices s = projection.s();
      accurate.gram(accurate.operand(a, projection.forX()), 0, s);
      flops.half(n, m);
      compute.largestEigenvalue(s, v, w, POWER_ITERATIONS, norm);
      compute.capBySquareRoot(norm, a);
      effort.took(msign.steps());
    }
  }
}
