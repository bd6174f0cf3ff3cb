package io.muond.server.linalg;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
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

  public PolarFactor(Compute compute) {
    this.compute = compute;
  }

  /**
   * The largest learning rate for which {@link #ofStep} does the same operations as for {@code
   * eta}.
   */
  public static double range(double eta) {
    return InverseSquareRoot.range(eta);
  }

  /** Intermediates: four n × n matrices. */
  public record Buffers(Matrices x, Matrices x2, Matrices t, Matrices d) {
    public static Buffers carve(Carver carver, int n) {
      return new Buffers(
          carver.matrices(n, n),
          carver.matrices(n, n),
          carver.matrices(n, n),
          carver.matrices(n, n));
    }
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
      polynomial(stages.get(i), from, b, flops);
      compute.combine(scale, from, 0, next);
      compute.product(scale, from, false, b.d(), false, 1, next, Precision.FLOAT32);
      flops.product(y.rows(), y.cols(), y.cols());
      other = from;
      from = next;
    }
  }

  /** d ← p(YᵀY − I). */
  private void polynomial(double[] p, Matrices y, Buffers b, Flops flops) {
    int n = y.cols();
    Matrices x = b.x();
    compute.symmetricProduct(1, y, true, y, false, 0, null, -1, x, Precision.FLOAT32);
    flops.half(n, y.rows());
    flops.half(n, n);
    if (p.length == 3) {
      compute.symmetricProduct(p[2], x, false, x, false, p[1], x, p[0], b.d(), Precision.FLOAT32);
      return;
    }
    flops.half(n, n);
    Matrices x2 = b.x2();
    compute.symmetricProduct(1, x, false, x, false, 0, null, 0, x2, Precision.FLOAT32);
    compute.copy(x2, b.t());
    compute.combine(p[3], x, p[4], b.t());
    compute.copy(x2, b.d());
    compute.combine(p[1], x, p[2], b.d());
    compute.symmetricProduct(1, x2, false, b.t(), false, 1, b.d(), p[0], b.d(), Precision.FLOAT32);
  }
}
