package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.linalg.AccurateProducts;
import io.muond.server.linalg.AccurateProducts.Operand;
import io.muond.server.linalg.AccurateProducts.Room;
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

  private final AccurateProducts accurate;

  ExactDirection(Compute compute, Shape shape, Rule rule) {
    super(compute, shape, rule);
    accurate = new AccurateProducts(compute, rule.precision());
  }

  @Override
  public Buffers carve(Carver carver) {
    if (m == n) {
      return new Square(carver);
    }
    return m <= 2 * n ? new WideSpan(carver) : new Tall(carver);
  }

  /** c ← α op(a) op(b) + β c. */
  private void product(
      double alpha,
      Operand a,
      boolean aT,
      Operand b,
      boolean bT,
      double beta,
      Matrices c,
      Flops flops) {
    accurate.product(alpha, a, aT, b, bT, beta, c);
    Matrices left = a.whole() == null ? a.high() : a.whole();
    flops.product(c.rows(), c.cols(), aT ? left.rows() : left.cols());
  }

  /** What every shape needs: K's iteration, and U and G as factors. */
  private abstract class Within implements Buffers {
    final Matrices x;
    final MatrixSign.Buffers sign;
    final Room forU;
    final Room forG;

    /**
     * @param order of the skew matrix
     */
    Within(Carver carver, int order) {
      x = carver.matrices(order, order);
      sign = forSquare(carver, order);
      forU = room(carver);
      forG = room(carver);
    }

    final Room room(Carver carver) {
      return accurate.room(carver, m, n, shape.transposed());
    }
  }

  /** m = n: A = U msign(skew(UᵀG)). */
  private final class Square extends Within {
    Square(Carver carver) {
      super(carver, n);
    }

    @Override
    public void solve(Matrices u, Matrices g, Matrices a, Effort effort) {
      Flops flops = effort.each();
      Operand byU = accurate.operand(u, forU);
      product(1, byU, true, accurate.operand(g, forG), false, 0, x, flops);
      compute.skew(x, x);
      Operand k = Operand.exact(msign.skew(x, n, sign, flops));
      product(1, byU, false, k, false, 0, a, flops);
      effort.took(msign.steps());
    }
  }

  /** n < m ≤ 2n: A = msign(GUᵀ − UGᵀ) U. */
  private final class WideSpan extends Within {
    WideSpan(Carver carver) {
      super(carver, m);
    }

    @Override
    public void solve(Matrices u, Matrices g, Matrices a, Effort effort) {
      Flops flops = effort.each();
      Operand byU = accurate.operand(u, forU);
      product(1, accurate.operand(g, forG), false, byU, true, 0, x, flops);
      compute.skew(x, x);
      Operand k = Operand.exact(msign.skew(x, m, sign, flops));
      product(1, k, false, byU, false, 0, a, flops);
      effort.took(msign.steps());
    }
  }

  /**
   * m > 2n: within the span of U and of G⊥ = G − UB, B = UᵀG. With Q an orthonormal basis of G⊥ and
   * R = QᵀG⊥, K = msign([[B − Bᵀ, −Rᵀ], [R, 0]]) and A = U K₁₁ + Q K₂₁.
   */
  private final class Tall extends Within {
    private final Matrices q;
    private final Room forQ;
    private final Room forSmall;

    Tall(Carver carver) {
      super(carver, 2 * n);
      q = shape.carve(carver);
      forQ = room(carver);
      forSmall = accurate.room(carver, n, n, false);
    }

    @Override
    public void solve(Matrices u, Matrices g, Matrices a, Effort effort) {
      Flops flops = effort.each();
      Matrices b = x.block(0, 0, n, n);
      Matrices r = x.block(n, 0, n, n);
      Operand byU = accurate.operand(u, forU);
      product(1, byU, true, accurate.operand(g, forG), false, 0, b, flops);
      product(-1, byU, false, accurate.operand(b, forSmall), false, 1, g, flops);
      Operand byQ = accurate.operand(basis(byU, g, a, flops), forQ);
      product(1, byQ, true, accurate.operand(g, forG), false, 0, r, flops);
      compute.skew(b, b);
      compute.negativeTranspose(r, x.block(0, n, n, n));
      compute.zero(x.block(n, n, n, n));
      Operand k = Operand.exact(msign.skew(x, n, sign, flops));
      product(1, byU, false, k.block(0, 0, n, n), false, 0, a, flops);
      product(1, byQ, false, k.block(n, 0, n, n), false, 1, a, flops);
      effort.took(msign.steps());
    }

    /**
     * An orthonormal basis of g's columns, orthogonal to U: shifted Cholesky QR, twice, with U
     * removed before, between and after. One pass is not enough: on gradients with decaying
     * singular values it left errors of 1e-3 to 1e-2.
     *
     * @param spare is overwritten
     */
    private Matrices basis(Operand u, Matrices g, Matrices spare, Flops flops) {
      // R⁻¹ is at most 1e3 times as large as 1 then, which float16 holds.
      compute.maxAbs(g, sign.scale());
      compute.divide(g, sign.scale(), q);
      Matrices first = orthonormalise(q, FIRST_SHIFT * Math.sqrt(n), TINY, spare, flops);
      remove(u, first, flops);
      // Back in q, if it has left it.
      Matrices second = orthonormalise(first, 0, SECOND_SHIFT, q, flops);
      remove(u, second, flops);
      return second;
    }

    private Matrices orthonormalise(
        Matrices columns, double relative, double absolute, Matrices to, Flops flops) {
      accurate.gram(accurate.operand(columns, forQ), 0, s());
      flops.half(n, m);
      compute.cholesky(relative, absolute, s());
      flops.half(n, m);
      return accurate.solveUpper(columns, s(), to, forQ, forSmall);
    }

    /** Free until R is known. */
    private Matrices s() {
      return x.block(n, 0, n, n);
    }

    /** columns ← columns − U Uᵀ columns. */
    private void remove(Operand u, Matrices columns, Flops flops) {
      product(1, u, true, accurate.operand(columns, forQ), false, 0, s(), flops);
      product(-1, u, false, accurate.operand(s(), forSmall), false, 1, columns, flops);
    }
  }
}
