package io.muond.server.linalg;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Compute.Term;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import java.util.ArrayList;
import java.util.List;

/**
 * Products to float32 accuracy in any mode. Where msign runs in half precision they run on tensor
 * cores too: an operand is split into two float16, x = high + 2⁻¹¹ low, and of the four products
 * the three that matter are added; two where one operand is float16 anyway.
 */
public final class AccurateProducts {
  /** What the low half is worth. */
  private static final double LOW = 0x1p-11;

  private final Compute compute;
  private final boolean split;

  /**
   * @param precision of msign
   */
  public AccurateProducts(Compute compute, Precision precision) {
    this.compute = compute;
    split = precision.isHalf();
  }

  /** Room for an operand's halves; empty in float32. */
  public record Room(Matrices high, Matrices low) {}

  /** Takes room for an operand out of a carver. */
  public Room room(Carver carver, int rows, int cols, boolean transposed) {
    return split
        ? new Room(
            carver.tallHalves(ElementType.FLOAT16, rows, cols, transposed),
            carver.tallHalves(ElementType.FLOAT16, rows, cols, transposed))
        : new Room(null, null);
  }

  /**
   * A matrix as a factor: itself, or its halves.
   *
   * @param whole null if it is known in float16 only
   * @param low null if high is all of it
   */
  public record Operand(Matrices whole, Matrices high, Matrices low) {
    /** Of a matrix that is float16 already, or that of float32 mode. */
    public static Operand exact(Matrices x) {
      return x.type() == ElementType.FLOAT32
          ? new Operand(x, null, null)
          : new Operand(null, x, null);
    }

    /** The same block of every part. */
    public Operand block(int i, int j, int rows, int cols) {
      return new Operand(
          block(whole, i, j, rows, cols),
          block(high, i, j, rows, cols),
          block(low, i, j, rows, cols));
    }

    private static Matrices block(Matrices x, int i, int j, int rows, int cols) {
      return x == null ? null : x.block(i, j, rows, cols);
    }
  }

  /** Makes a factor of x as it is now. */
  public Operand operand(Matrices x, Room room) {
    if (!split) {
      return Operand.exact(x);
    }
    compute.split(x, room.high(), room.low());
    return new Operand(x, room.high(), room.low());
  }

  /** c ← α op(a) op(b) + β c. */
  public void product(
      double alpha, Operand a, boolean aT, Operand b, boolean bT, double beta, Matrices c) {
    if (!split) {
      compute.product(alpha, a.whole(), aT, b.whole(), bT, beta, c, Precision.FLOAT32);
      return;
    }
    double kept = beta;
    for (Term t : terms(alpha, a, aT, b, bT)) {
      compute.product(t.alpha(), t.a(), t.aT(), t.b(), t.bT(), kept, c, Precision.FLOAT16);
      kept = 1;
    }
  }

  /** The small ones first: what is added to them is rounded less often. */
  private static List<Term> terms(double alpha, Operand a, boolean aT, Operand b, boolean bT) {
    List<Term> terms = new ArrayList<>();
    if (a.low() != null) {
      terms.add(new Term(LOW * alpha, a.low(), aT, b.high(), bT));
    }
    if (b.low() != null) {
      terms.add(new Term(LOW * alpha, a.high(), aT, b.low(), bT));
    }
    terms.add(new Term(alpha, a.high(), aT, b.high(), bT));
    return terms;
  }

  /** c ← α a b + β e + δ I for symmetric a and b that commute; see {@link Compute}. */
  public void symmetric(
      double alpha, Operand a, Operand b, double beta, Matrices e, double delta, Matrices c) {
    if (split) {
      compute.symmetricSum(terms(alpha, a, false, b, false), beta, e, delta, c);
    } else {
      compute.symmetricProduct(
          alpha, a.whole(), false, b.whole(), false, beta, e, delta, c, Precision.FLOAT32);
    }
  }

  /**
   * x R⁻¹ for an upper triangular R. On tensor cores a product with the inverse is far cheaper than
   * a substitution.
   *
   * @param r is overwritten; the strict lower triangle is not read
   * @param to like x, taken if x does not become the result
   * @return where the result is: x or {@code to}
   */
  public Matrices solveUpper(Matrices x, Matrices r, Matrices to, Room forX, Room forR) {
    if (!split) {
      compute.solveUpper(r, x);
      return x;
    }
    compute.invertUpper(r);
    product(1, operand(x, forX), false, operand(r, forR), false, 0, to);
    return to;
  }

  /** c ← aᵀa + δ I. */
  public void gram(Operand a, double delta, Matrices c) {
    if (split) {
      compute.symmetricSum(terms(1, a, true, a, false), 0, null, delta, c);
      compute.gramDiagonal(delta, a.whole(), c);
    } else {
      Matrices x = a.whole();
      compute.symmetricProduct(1, x, true, x, false, 0, null, delta, c, Precision.FLOAT32);
    }
  }
}
