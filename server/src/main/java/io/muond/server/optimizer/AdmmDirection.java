package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.linalg.MatrixSign;

/**
 * ADMM as published (Buchanan, 2025): Λ = ½ sym(Uᵀ(Ω/ρ + X − G)); M = 2UΛ + G − Ω/ρ; X = ½(M −
 * msign(M)/ρ)(I + msign(MᵀM − I/ρ²)); Ω ← Ω + ρ(X − 2UΛ − G); at the end A = msign(G + 2UΛ).
 * Depends on G's scale; A is not quite tangent.
 */
final class AdmmDirection extends StiefelDirection {
  private final Rule rule;

  AdmmDirection(Compute compute, Shape shape, Rule rule) {
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
    return new Solve(
        shape.carve(carver),
        shape.carve(carver),
        shape.carve(carver),
        shape.carve(carver),
        carver.matrices(n, n),
        carver.matrices(n, n),
        forTall(carver),
        forSquare(carver, n));
  }

  private final class Solve implements Buffers {
    private final Matrices x;
    private final Matrices omega;
    private final Matrices mm;
    private final Matrices sign;
    private final Matrices lambda;
    private final Matrices gram;
    private final MatrixSign.Buffers forTall;
    private final MatrixSign.Buffers forSquare;

    Solve(
        Matrices x,
        Matrices omega,
        Matrices mm,
        Matrices sign,
        Matrices lambda,
        Matrices gram,
        MatrixSign.Buffers forTall,
        MatrixSign.Buffers forSquare) {
      this.x = x;
      this.omega = omega;
      this.mm = mm;
      this.sign = sign;
      this.lambda = lambda;
      this.gram = gram;
      this.forTall = forTall;
      this.forSquare = forSquare;
    }

    @Override
    public void solve(Matrices u, Matrices g, Matrices a, Effort effort) {
      Flops flops = effort.each();
      DualAscentDirection.multiplier(compute, u, g, lambda);
      flops.product(n, n, m);
      compute.copy(g, x);
      product(2, u, false, lambda, 1, x, flops);
      compute.zero(omega);
      for (int k = 0; k < rule.iterations(); k++) {
        iterate(u, g, a, flops);
      }
      compute.copy(g, mm);
      product(2, u, false, lambda, 1, mm, flops);
      compute.copy(msign(mm, forTall, flops), a);
      effort.took(rule.iterations());
    }

    private void iterate(Matrices u, Matrices g, Matrices t, Flops flops) {
      double rho = rule.rho();
      compute.copy(x, t);
      compute.combine(1 / rho, omega, 1, t);
      compute.combine(-1, g, 1, t);
      product(0.5, u, true, t, 0, lambda, flops);
      compute.symmetrize(lambda, lambda);
      compute.copy(g, t);
      product(2, u, false, lambda, 1, t, flops);
      compute.copy(t, mm);
      compute.combine(-1 / rho, omega, 1, mm);
      soften(flops);
      compute.combine(rho, x, 1, omega);
      compute.combine(-rho, t, 1, omega);
    }

    /** X ← ½(M − msign(M)/ρ)(I + msign(MᵀM − I/ρ²)). */
    private void soften(Flops flops) {
      double rho = rule.rho();
      compute.symmetricProduct(
          1, mm, true, mm, false, 0, null, -1 / (rho * rho), gram, Precision.FLOAT32);
      flops.half(n, m);
      compute.copy(mm, sign);
      compute.combine(-1 / rho, msign(sign, forTall, flops), 1, mm);
      Matrices above = msign(gram, forSquare, flops);
      compute.addIdentity(1, above);
      product(0.5, mm, false, above, 0, x, flops);
    }

    private Matrices msign(Matrices of, MatrixSign.Buffers buffers, Flops flops) {
      compute.maxAbs(of, buffers.scale());
      compute.divide(of, buffers.scale(), of);
      return msign.general(of, buffers, flops);
    }

    private void product(
        double alpha, Matrices l, boolean lT, Matrices r, double beta, Matrices to, Flops flops) {
      compute.product(alpha, l, lT, r, false, beta, to, Precision.FLOAT32);
      flops.product(to.rows(), to.cols(), lT ? l.rows() : l.cols());
    }
  }
}
