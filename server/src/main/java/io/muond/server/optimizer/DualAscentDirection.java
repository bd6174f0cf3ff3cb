package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.linalg.MatrixSign;

/**
 * Dual ascent as published (Bernstein, "Modular Manifolds", 2025): Λ₀ = −¼(UᵀG + GᵀU); for k < K: A
 * = msign(G + 2UΛ), H = UᵀA + AᵀU, stop if ‖H‖_F / n < tol, Λ ← Λ − α(1 − k/K)H. Depends on G's
 * scale; A is not quite tangent.
 */
final class DualAscentDirection extends StiefelDirection {
  private final Rule rule;

  DualAscentDirection(Compute compute, Shape shape, Rule rule) {
    super(compute, shape, rule);
    this.rule = rule;
  }

  @Override
  public boolean scaleInvariant() {
    return false;
  }

  @Override
  public boolean tangent() {
    return false;
  }

  @Override
  public Buffers carve(Carver carver) {
    Matrices x = shape.carve(carver);
    Matrices lambda = carver.matrices(n, n);
    Matrices h = carver.matrices(n, n);
    MatrixSign.Buffers sign = forTall(carver);
    return (u, g, a, effort) -> {
      for (int i = 0; i < u.count(); i++) {
        // One matrix at a time: each stops by itself.
        Flops flops = new Flops();
        int iterations =
            one(
                u.matrix(i),
                g.matrix(i),
                a.matrix(i),
                x.matrix(i),
                lambda.matrix(i),
                h.matrix(i),
                sign.matrix(i),
                flops);
        effort.took(i, iterations, flops);
      }
    };
  }

  private int one(
      Matrices u,
      Matrices g,
      Matrices a,
      Matrices x,
      Matrices lambda,
      Matrices h,
      MatrixSign.Buffers sign,
      Flops flops) {
    multiplier(compute, u, g, lambda);
    flops.product(n, n, m);
    for (int k = 0; k < rule.iterations(); k++) {
      compute.copy(g, x);
      compute.product(2, u, false, lambda, false, 1, x, Precision.FLOAT32);
      compute.maxAbs(x, sign.scale());
      compute.divide(x, sign.scale(), x);
      compute.copy(msign.general(x, sign, flops), a);
      compute.product(1, u, true, a, false, 0, h, Precision.FLOAT32);
      flops.product(m, n, n);
      flops.product(n, n, m);
      compute.symmetrize(h, h);
      compute.frobenius(h, sign.scale());
      double residual = 2 * compute.read(sign.scale())[0] / n;
      if (residual < rule.tolerance()) {
        return k + 1;
      }
      double step = rule.alpha() * (1 - (double) k / rule.iterations());
      compute.combine(-2 * step, h, 1, lambda);
    }
    return rule.iterations();
  }

  /** Λ₀ = −½ sym(UᵀG). */
  static void multiplier(Compute compute, Matrices u, Matrices g, Matrices lambda) {
    compute.product(-0.5, u, true, g, false, 0, lambda, Precision.FLOAT32);
    compute.symmetrize(lambda, lambda);
  }
}
