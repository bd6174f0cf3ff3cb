package io.muond.server.manifold;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.linalg.MatrixSign;
import io.muond.server.linalg.PolarFactor;

/**
 * {rU : UᵀU = I} for m × n matrices, m ≥ n: all singular values are the radius r. Retraction and
 * projection are the polar factor.
 */
public final class Stiefel {
  /** Enough for singular values down to about 1e-9 of the largest. */
  private static final int PROJECTION_STEPS = 36;

  /** max |UᵀU − I| beyond which a polar factor counts as rank-deficient. */
  private static final double DEFICIENT = 1e-3;

  private final Compute compute;
  private final double radius;
  private final MatrixSign msign;
  private final PolarFactor polar;

  public Stiefel(Compute compute, double radius) {
    this.compute = compute;
    this.radius = radius;
    msign = new MatrixSign(compute, PROJECTION_STEPS, Precision.FLOAT32);
    polar = new PolarFactor(compute, Precision.FLOAT32);
  }

  /** Intermediates of a projection. */
  public record Buffers(
      Matrices x,
      Matrices spare,
      MatrixSign.Buffers sign,
      PolarFactor.Buffers polar,
      Scalars scale) {}

  /** Takes the intermediates out of a carver, for m × n matrices stored as they are. */
  public Buffers carve(Carver carver, int m, int n, boolean transposed) {
    PolarFactor.Buffers forPolar = polar.carve(carver, m, n, transposed);
    Scalars scale = carver.scalars();
    Matrices x = carver.tall(m, n, transposed);
    Matrices next = carver.tall(m, n, transposed);
    return new Buffers(
        x,
        carver.tall(m, n, transposed),
        new MatrixSign.Buffers(next, forPolar.t(), forPolar.d(), scale),
        forPolar,
        scale);
  }

  /**
   * to ← radius · polar(from), one matrix. Where {@code from} is rank-deficient the polar factor is
   * not unique: it is completed from {@code random}.
   *
   * @param random like {@code from}; overwritten
   * @param fill puts gaussian numbers there, if they are needed
   */
  public void project(Matrices from, Matrices random, Runnable fill, Matrices to, Buffers b) {
    Flops flops = new Flops();
    compute.copy(from, b.x());
    Matrices u = polarOf(b.x(), b, flops);
    compute.copy(u, b.spare());
    if (!(residual(b.spare(), b) <= DEFICIENT)) {
      fill.run();
      complete(b.spare(), random, b, flops);
    }
    polar.polish(b.spare(), b.x(), radius, to, b.polar(), flops);
  }

  private Matrices polarOf(Matrices x, Buffers b, Flops flops) {
    compute.maxAbs(x, b.scale());
    compute.divide(x, b.scale(), x);
    return msign.general(x, b.sign(), flops);
  }

  private double residual(Matrices u, Buffers b) {
    residual(u, b.polar().x(), b.scale());
    return compute.read(b.scale())[0];
  }

  /**
   * u ← msign(u + N), N the part of a random matrix outside the spans of u's rows and columns: what
   * u has stays, what it lacks is drawn uniformly.
   */
  private void complete(Matrices u, Matrices random, Buffers b, Flops flops) {
    Matrices gram = b.polar().x();
    compute.product(1, u, true, random, false, 0, gram, Precision.FLOAT32);
    compute.product(-1, u, false, gram, false, 1, random, Precision.FLOAT32);
    compute.product(1, u, true, u, false, 0, gram, Precision.FLOAT32);
    compute.copy(random, b.x());
    compute.product(-1, random, false, gram, false, 1, b.x(), Precision.FLOAT32);
    compute.maxAbs(b.x(), b.scale());
    compute.divide(b.x(), b.scale(), b.x());
    Matrices missing = msign.general(b.x(), b.sign(), flops);
    compute.combine(1, missing, 1, u);
    compute.copy(u, b.x());
    compute.copy(polarOf(b.x(), b, flops), u);
  }

  /**
   * s ← max |UᵀU − I|. For U = W / r, not for W: r² may be more, or less, than a float32 holds.
   *
   * @param gram n × n, to work in
   */
  public void residual(Matrices u, Matrices gram, Scalars s) {
    compute.symmetricProduct(1, u, true, u, false, 0, null, -1, gram, Precision.FLOAT32);
    compute.maxAbs(gram, s);
  }
}
