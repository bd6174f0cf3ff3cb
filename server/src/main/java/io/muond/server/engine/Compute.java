package io.muond.server.engine;

import java.util.List;

/**
 * What an engine computes: operations on batches of matrices, in order, each called from the
 * engine's own thread. The result comes last in every signature, may be overwritten in place where
 * noted, and otherwise must not overlap the operands. All operands of an element-wise operation
 * have the same shape and the same {@link Matrices#transposed}. {@code T} as a flag means that the
 * operand's transpose is taken.
 *
 * <p>Elements are float32, except where 16 bits are spoken of: those are for engines that support a
 * {@link Precision#isHalf half precision}.
 *
 * <p>Reductions accumulate in float64 in a fixed order: equal inputs give equal bits.
 */
public interface Compute {
  /** Waits for everything before, and reads scalars. Never part of what is recorded. */
  double[] read(Scalars scalars);

  /** s ← values. Never part of what is recorded: recorded operations find the new values. */
  void write(double[] values, Scalars s);

  /** y ← x. */
  void copy(Matrices x, Matrices y);

  /** y ← α x + β y; y may be x. With β = 0, y is not read. */
  void combine(double alpha, Matrices x, double beta, Matrices y);

  /** y_k ← α s_k x_k + β y_k. */
  void combineEach(double alpha, Scalars s, Matrices x, double beta, Matrices y);

  /**
   * Momentum: g ← M' = β M + g, and with Nesterov's look-ahead taken ← g + β M' = (1 + β) M' − β M.
   *
   * @param taken not used without the look-ahead, may be null
   */
  void momentum(double beta, boolean nesterov, Matrices m, Matrices g, Matrices taken);

  /** y ← the signs of x: −1, 0 or 1; y may be x. */
  void signs(Matrices x, Matrices y);

  /**
   * A step without a constraint: y_k ← keep_k w_k − step_k a_k, and w bit for bit where keep is 1
   * and step_k a_k is 0. {@code y} may be w or a.
   */
  void descend(Scalars keep, Scalars step, Matrices w, Matrices a, Matrices y);

  /**
   * AdamW's moments and direction: g ← M' = β₁ M + (1 − β₁) G, next ← V' = β₂ V + (1 − β₂) G², a ←
   * c₁ M' / (√(c₂ V') + ε), or NaN where V' overflows.
   *
   * @param beta1 rounded to float32, in which the difference from 1 is taken
   * @param beta2 the same
   * @param corrections c₁ and √c₂
   */
  void adamw(
      double beta1,
      double beta2,
      double epsilon,
      Scalars corrections,
      Matrices m,
      Matrices v,
      Matrices g,
      Matrices next,
      Matrices a);

  /** y_k ← x_k / s_k, or 0 where s_k is 0; y may be x. */
  void divide(Matrices x, Scalars s, Matrices y);

  /** y ← x_k where s_k is 0, otherwise unchanged. */
  void copyWhereZero(Scalars s, Matrices x, Matrices y);

  /** s ← the largest |element|; NaN if any element is NaN. */
  void maxAbs(Matrices x, Scalars s);

  /** s ← ‖x‖_F. */
  void frobenius(Matrices x, Scalars s);

  /**
   * s_k ← 0 where it is at most relative · of_k: nothing but the rounding of what has that size.
   */
  void zeroRounding(double relative, Scalars of, Scalars s);

  /** s ← ‖x − y‖_F. */
  void distance(Matrices x, Matrices y, Scalars s);

  /** s ← ⟨x, y⟩. */
  void dot(Matrices x, Matrices y, Scalars s);

  /** s ← ‖x + xᵀ‖_F, x square; x is overwritten. */
  void frobeniusOfSymmetricPart(Matrices x, Scalars s);

  /**
   * c ← α op(a) op(b) + β c. In half precision a and b are of 16 bits, c either so or float32; the
   * same holds for the products that follow.
   */
  void product(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices c,
      Precision precision);

  /**
   * c ← α op(a) op(b) + β e + δ I, which the caller knows to be symmetric: about half the work,
   * both triangles written. {@code e} is symmetric, may be null (then β is not used), and may be an
   * operand or the result; it has c's type. If a and b are the same, either one of them is
   * transposed, or they are symmetric.
   */
  void symmetricProduct(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices e,
      double delta,
      Matrices c,
      Precision precision);

  /** c ← α op(a) op(b), which the caller knows to be skew: about half the work, exactly skew. */
  void skewProduct(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      Matrices c,
      Precision precision);

  /** α op(a) op(b), a and b of 16 bits. */
  record Term(double alpha, Matrices a, boolean aT, Matrices b, boolean bT) {}

  /** c ← Σ terms + β e + δ I, float32, as {@link #symmetricProduct}: the sum is symmetric. */
  default void symmetricSum(List<Term> terms, double beta, Matrices e, double delta, Matrices c) {
    throw noHalves();
  }

  /** y_k ← α x_k / s_k rounded to y's 16 bits, or 0 where s_k is 0; without s, α x. */
  default void round(double alpha, Scalars s, Matrices x, Matrices y) {
    throw noHalves();
  }

  /** y ← x, whose elements have 16 bits. */
  default void widen(Matrices x, Matrices y) {
    throw noHalves();
  }

  /** high + 2⁻¹¹ low ← x to 22 bits, high and low float16; |x| is below 65520. */
  default void split(Matrices x, Matrices high, Matrices low) {
    throw noHalves();
  }

  /**
   * x_jj ← Σ_i y_ij² + δ, the diagonal of yᵀy + δ I, accumulated in float64: tensor cores truncate
   * as they accumulate, and would make all of it too small.
   */
  default void gramDiagonal(double delta, Matrices y, Matrices x) {
    throw noHalves();
  }

  /**
   * r ← R⁻¹ for the upper triangular R, with zeros below the diagonal; r does not lie transposed.
   */
  default void invertUpper(Matrices r) {
    throw noHalves();
  }

  private static UnsupportedOperationException noHalves() {
    return new UnsupportedOperationException("this engine has no half precision");
  }

  /**
   * The first iteration of msign, scaled by the bound ‖X⁴‖_F^{1/4} ≥ ‖X‖: with f = ‖S2‖_F, p ←
   * f^{−1/4} (a I + b f^{−1/2} S + c f^{−1} S2), or 0 where f is 0. S, S2 and p are symmetric; p
   * may be S2. In half precision S and p are of 16 bits, S2 is float32.
   */
  void scaledPolynomial(
      double a, double b, double c, Scalars f, Matrices s, Matrices s2, Matrices p);

  /** y ← x − xᵀ, exactly skew; x and y square, y may be x. */
  void skew(Matrices x, Matrices y);

  /** y ← (x + xᵀ) / 2, exactly symmetric; y may be x. */
  void symmetrize(Matrices x, Matrices y);

  /**
   * s ← an estimate, from below, of the largest eigenvalue of the symmetric positive semidefinite
   * h, by power iteration from a fixed vector.
   *
   * @param v and {@code w}: n × 1 matrices to work in
   */
  void largestEigenvalue(Matrices h, Matrices v, Matrices w, int iterations, Scalars s);

  /** y_k ← y_k / max(1, √s_k). */
  void capBySquareRoot(Scalars s, Matrices y);

  /** y ← −xᵀ; y and x do not overlap. */
  void negativeTranspose(Matrices x, Matrices y);

  /** x ← x + δ I, x square. */
  void addIdentity(double delta, Matrices x);

  /** x ← 0. */
  void zero(Matrices x);

  /**
   * x ← the upper triangular R with RᵀR = x + σ I, σ = relative · max diag(x) + absolute; the
   * strict lower triangle is left undefined. A larger σ is taken where rounding demands one.
   */
  void cholesky(double relative, double absolute, Matrices x);

  /** x ← x R⁻¹, R upper triangular; r is overwritten. */
  void solveUpper(Matrices r, Matrices x);

  /**
   * The direction on the oblique manifold, row by row: with P the projection onto the tangent space
   * at w, a ← P(g) / ‖P(g)‖, or 0 where P(g) is 0. Rows are those of the memory.
   *
   * @param objective ← Σ ⟨g, a⟩ over the rows
   */
  void rowDirections(Matrices w, Matrices g, Matrices a, Scalars objective);

  /**
   * y ← x − the row's mean, row by row, or 0 where that is nothing but the rounding of x. {@code y}
   * may be x.
   */
  void centerRows(Matrices x, Matrices y);

  /**
   * y ← radius · x / ‖x‖ row by row. {@code y} may be x.
   *
   * @param centered whether the rows of x are, which have at least 2 elements then: a row of zeros
   *     becomes (radius / √2, −radius / √2, 0, …, 0), otherwise (radius, 0, …, 0)
   */
  void normalizeRows(double radius, boolean centered, Matrices x, Matrices y);

  /**
   * Moves rows along directions and back to the sphere: y ← radius · v / ‖v‖, v = w − radius η_k a.
   * A row whose direction is zero stays bit for bit.
   *
   * @param centered whether v is first made to have mean 0
   */
  void moveRows(double radius, boolean centered, Scalars eta, Matrices w, Matrices a, Matrices y);

  /**
   * Residuals row by row, for unit radius: root mean square of ⟨w, a⟩ / radius, and max |‖y‖² /
   * radius² − 1|.
   *
   * @param centered whether the means count too: ⟨1, a⟩ / √cols beside ⟨w, a⟩ / radius, and |⟨1,
   *     y⟩| / (radius √cols) beside the other
   */
  void rowResiduals(
      double radius,
      boolean centered,
      Matrices w,
      Matrices a,
      Matrices y,
      Scalars tangency,
      Scalars orthogonality);
}
