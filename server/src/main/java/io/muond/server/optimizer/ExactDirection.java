package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.linalg.MatrixSign;

/**
 * The closed form A = msign(GUᵀ − UGᵀ) U ("Muon on the Stiefel Manifold Admits an Exact Closed-Form
 * Update", arXiv 2608.06218). Any odd polynomial of a skew matrix is skew, so A is tangent however
 * few iterations msign gets.
 */
final class ExactDirection extends StiefelDirection {
  /** Shift of the first Cholesky factorisation, times √n and the largest diagonal element. */
  private static final double FIRST_SHIFT = 1e-6;

  /** Shift of the second one, whose matrix is near the identity (or a projection). */
  private static final double SECOND_SHIFT = 1e-6;

  /**
   * Keeps the first factorisation defined where G⊥ is zero; squares of float32 noise are larger.
   */
  private static final double TINY = 1e-30;

  ExactDirection(Compute compute, Shape shape, Rule rule) {
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
    int order = m == n ? n : Math.min(m, 2 * n);
    Matrices x = carver.matrices(order, order);
    MatrixSign.Buffers sign =
        new MatrixSign.Buffers(
            carver.matrices(order, order),
            carver.matrices(order, order),
            carver.matrices(order, order),
            carver.scalars());
    if (m == n) {
      return (u, g, a, effort) -> effort.took(square(u, g, a, x, sign, effort.each()));
    }
    if (m <= 2 * n) {
      return (u, g, a, effort) -> effort.took(wideSpan(u, g, a, x, sign, effort.each()));
    }
    Matrices q = shape.carve(carver);
    return (u, g, a, effort) -> effort.took(tall(u, g, a, x, q, sign, effort.each()));
  }

  /** m = n: A = U msign(skew(UᵀG)). */
  private int square(
      Matrices u, Matrices g, Matrices a, Matrices x, MatrixSign.Buffers sign, Flops flops) {
    product(1, u, true, g, false, 0, x, flops);
    compute.skew(x, x);
    Matrices k = msign.skew(x, n, sign, flops);
    product(1, u, false, k, false, 0, a, flops);
    return msign.steps();
  }

  /** n < m ≤ 2n: A = msign(GUᵀ − UGᵀ) U. */
  private int wideSpan(
      Matrices u, Matrices g, Matrices a, Matrices x, MatrixSign.Buffers sign, Flops flops) {
    product(1, g, false, u, true, 0, x, flops);
    compute.skew(x, x);
    Matrices k = msign.skew(x, m, sign, flops);
    product(1, k, false, u, false, 0, a, flops);
    return msign.steps();
  }

  /**
   * m > 2n: within the span of U and of G⊥ = G − UB, B = UᵀG. With Q an orthonormal basis of G⊥ and
   * R = QᵀG⊥, K = msign([[B − Bᵀ, −Rᵀ], [R, 0]]) and A = U K₁₁ + Q K₂₁.
   */
  private int tall(
      Matrices u,
      Matrices g,
      Matrices a,
      Matrices x,
      Matrices q,
      MatrixSign.Buffers sign,
      Flops flops) {
    Matrices b = x.block(0, 0, n, n);
    Matrices r = x.block(n, 0, n, n);
    product(1, u, true, g, false, 0, b, flops);
    product(-1, u, false, b, false, 1, g, flops);
    compute.copy(g, q);
    basis(u, q, sign.s().block(0, 0, n, n), sign.p().block(0, 0, n, n), flops);
    product(1, q, true, g, false, 0, r, flops);
    compute.skew(b, b);
    compute.negativeTranspose(r, x.block(0, n, n, n));
    compute.zero(x.block(n, n, n, n));
    Matrices k = msign.skew(x, n, sign, flops);
    product(1, u, false, k.block(0, 0, n, n), false, 0, a, flops);
    product(1, q, false, k.block(n, 0, n, n), false, 1, a, flops);
    return msign.steps();
  }

  /**
   * q ← an orthonormal basis of its columns, orthogonal to U: shifted Cholesky QR, twice, with U
   * removed before, between and after. One pass is not enough: on gradients with decaying singular
   * values it left errors of 1e-3 to 1e-2.
   */
  private void basis(Matrices u, Matrices q, Matrices s, Matrices t, Flops flops) {
    orthonormalise(FIRST_SHIFT * Math.sqrt(n), TINY, q, s, flops);
    remove(u, q, t, flops);
    orthonormalise(0, SECOND_SHIFT, q, s, flops);
    remove(u, q, t, flops);
  }

  private void orthonormalise(
      double relative, double absolute, Matrices q, Matrices s, Flops flops) {
    compute.symmetricProduct(1, q, true, q, false, 0, null, 0, s, Precision.FLOAT32);
    flops.half(n, m);
    compute.cholesky(relative, absolute, s);
    compute.solveUpper(s, q);
    flops.half(n, m);
  }

  /** q ← q − U Uᵀ q. */
  private void remove(Matrices u, Matrices q, Matrices t, Flops flops) {
    product(1, u, true, q, false, 0, t, flops);
    product(-1, u, false, t, false, 1, q, flops);
  }

  private void product(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices c,
      Flops flops) {
    compute.product(alpha, a, aT, b, bT, beta, c, Precision.FLOAT32);
    flops.product(c.rows(), c.cols(), aT ? a.rows() : a.cols());
  }
}
