package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.AccurateProducts;
import io.muond.server.linalg.AccurateProducts.Operand;
import io.muond.server.linalg.AccurateProducts.Room;
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

  ProjectedDirection(Compute compute, Shape shape, Rule rule) {
    super(compute, shape, rule);
    accurate = new AccurateProducts(compute, rule.precision());
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
    private final MatrixSign.Buffers sign;
    private final Matrices s;
    private final Matrices v;
    private final Matrices w;
    private final Scalars norm;
    private final Room forU;
    private final Room forX;
    private final Room forS;

    Solve(Carver carver) {
      sign = forTall(carver);
      s = carver.matrices(n, n);
      v = carver.matrices(n, 1);
      w = carver.matrices(n, 1);
      norm = carver.scalars();
      forU = accurate.room(carver, m, n, shape.transposed());
      forX = accurate.room(carver, m, n, shape.transposed());
      forS = accurate.room(carver, n, n, false);
    }

    @Override
    public void solve(Matrices u, Matrices g, Matrices a, Effort effort) {
      Flops flops = effort.each();
      Operand byU = accurate.operand(u, forU);
      project(byU, g, flops);
      compute.maxAbs(g, norm);
      compute.divide(g, norm, g);
      Matrices direction = msign.general(g, sign, flops);
      project(byU, direction, flops);
      compute.copy(direction, a);
      accurate.gram(accurate.operand(a, forX), 0, s);
      flops.half(n, m);
      compute.largestEigenvalue(s, v, w, POWER_ITERATIONS, norm);
      compute.capBySquareRoot(norm, a);
      effort.took(msign.steps());
    }

    /** x ← x − U sym(Uᵀx). */
    private void project(Operand u, Matrices x, Flops flops) {
      accurate.product(1, u, true, accurate.operand(x, forX), false, 0, s);
      compute.symmetrize(s, s);
      accurate.product(-1, u, false, accurate.operand(s, forS), false, 1, x);
      flops.product(n, n, m);
      flops.product(m, n, n);
    }
  }
}
