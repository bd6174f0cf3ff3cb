package io.muond.server.linalg;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.linalg.AccurateProducts.Operand;
import io.muond.server.linalg.AccurateProducts.Room;
import java.util.List;

/**
 * The polar factor of matrices near the Stiefel manifold, to float32 accuracy: Y ← Y + Y p(X), X =
 * YᵀY − I. X is formed from Y itself, so that errors do not build up over steps, and I + p(X) is
 * never formed, whose rounding alone would cost 5e-6.
 */
public final class PolarFactor {
  /** The largest learning rate of {@link #ofStep}. */
  public static final double MAX_LEARNING_RATE = InverseSquareRoot.largestLearningRate();

  private static final List<double[]> POLISH = InverseSquareRoot.forRange(-2e-3, 2e-3);

  private final Compute compute;
  private final AccurateProducts accurate;

  /**
   * @param precision of msign: whether tensor cores are to be used
   */
  public PolarFactor(Compute compute, Precision precision) {
    this.compute = compute;
    accurate = new AccurateProducts(compute, precision);
  }

  /**
   * The largest learning rate for which {@link #ofStep} does the same operations as for {@code
   * eta}.
   */
  public static double range(double eta) {
    return InverseSquareRoot.range(eta);
  }

  /** Intermediates: four n × n matrices, and what factors take. */
  public record Buffers(
      Matrices x, Matrices x2, Matrices t, Matrices d, Room forY, Room first, Room second) {}

  /** Takes the intermediates out of a carver, for m × n matrices stored as they are. */
  public Buffers carve(Carver carver, int m, int n, boolean transposed) {
    return new Buffers(
        carver.matrices(n, n),
        carver.matrices(n, n),
        carver.matrices(n, n),
        carver.matrices(n, n),
        accurate.room(carver, m, n, transposed),
        accurate.room(carver, n, n, false),
        accurate.room(carver, n, n, false));
  }

  /**
   * to ← radius · polar(y) for y = U − ηA, UᵀU = I, A tangent at U and ‖A‖ ≤ 1.
   *
   * @param y may be overwritten
   * @param spare like y
   */
  public void ofStep(
      double eta, Matrices y, Matrices spare, double radius, Matrices to, Buffers b, Flops flops) {
    apply(InverseSquareRoot.forLearningRate(eta), y, spare, radius, to, b, flops);
  }

  /** to ← radius · polar(y) for a y whose singular values are within 1e-3 of 1. */
  public void polish(
      Matrices y, Matrices spare, double radius, Matrices to, Buffers b, Flops flops) {
    apply(POLISH, y, spare, radius, to, b, flops);
  }

  private void apply(
      List<double[]> stages,
      Matrices y,
      Matrices spare,
      double radius,
      Matrices to,
      Buffers b,
      Flops flops) {
    Matrices from = y;
    Matrices other = spare;
    for (int i = 0; i < stages.size(); i++) {
      boolean last = i == stages.size() - 1;
      Matrices next = last ? to : other;
      double scale = last ? radius : 1;
      Operand factor = accurate.operand(from, b.forY());
      polynomial(stages.get(i), factor, b, flops);
      flops.half(y.cols(), y.rows());
      compute.combine(scale, from, 0, next);
      Operand d = accurate.operand(b.d(), b.first());
      accurate.product(scale, factor, false, d, false, 1, next);
      flops.product(y.rows(), y.cols(), y.cols());
      other = from;
      from = next;
    }
  }

  /** d ← p(YᵀY − I). */
  private void polynomial(double[] p, Operand y, Buffers b, Flops flops) {
    Matrices x = b.x();
    int n = x.rows();
    accurate.gram(y, -1, x);
    flops.half(n, n);
    Operand byX = accurate.operand(x, b.first());
    if (p.length == 3) {
      accurate.symmetric(p[2], byX, byX, p[1], x, p[0], b.d());
      return;
    }
    flops.half(n, n);
    Matrices x2 = b.x2();
    accurate.symmetric(1, byX, byX, 0, null, 0, x2);
    compute.copy(x2, b.t());
    compute.combine(p[3], x, p[4], b.t());
    compute.copy(x2, b.d());
    compute.combine(p[1], x, p[2], b.d());
    Operand byX2 = accurate.operand(x2, b.first());
    Operand byT = accurate.operand(b.t(), b.second());
    accurate.symmetric(1, byX2, byT, 1, b.d(), p[0], b.d());
  }
}
