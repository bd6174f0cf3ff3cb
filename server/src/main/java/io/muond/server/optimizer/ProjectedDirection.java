package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
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

  ProjectedDirection(Compute compute, Shape shape, Rule rule) {
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
    Matrices next = shape.carve(carver);
    Matrices s = carver.matrices(n, n);
    Matrices p = carver.matrices(n, n);
    Matrices v = carver.matrices(n, 1);
    Matrices w = carver.matrices(n, 1);
    Scalars scale = carver.scalars();
    MatrixSign.Buffers sign = new MatrixSign.Buffers(next, s, p, scale);
    return (u, g, a, effort) -> {
      Flops flops = effort.each();
      project(u, g, s, flops);
      compute.maxAbs(g, scale);
      compute.divide(g, scale, g);
      Matrices direction = msign.general(g, sign, flops);
      project(u, direction, s, flops);
      compute.copy(direction, a);
      compute.symmetricProduct(1, a, true, a, false, 0, null, 0, s, Precision.FLOAT32);
      flops.half(n, m);
      compute.largestEigenvalue(s, v, w, POWER_ITERATIONS, scale);
      compute.capBySquareRoot(scale, a);
      effort.took(msign.steps());
    };
  }

  /** x ← x − U sym(Uᵀx). */
  private void project(Matrices u, Matrices x, Matrices s, Flops flops) {
    compute.product(1, u, true, x, false, 0, s, Precision.FLOAT32);
    compute.symmetrize(s, s);
    compute.product(-1, u, false, s, false, 1, x, Precision.FLOAT32);
    flops.product(n, n, m);
    flops.product(m, n, n);
  }
}
