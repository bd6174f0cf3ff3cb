package io.muond.server.manifold;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.linalg.MatrixSign;
import io.muond.server.linalg.PolarFactor;
import java.util.ArrayList;
import java.util.List;

/**
 * {W : ‖W‖ ≤ r} for m × n matrices, m ≥ n: no singular value passes the radius. Retraction and
 * projection cap those that do. For r = 1, with O = msign(X) and the projector P = (I − msign(I −
 * OᵀX)) / 2 onto the right singular vectors above 1, that is X − (X − O) P; where O is not unique,
 * or not accurate, X is below 1 and P is 0.
 */
public final class SpectralBall {
  /** msign steps for X: enough for all that is above 1 where ‖X‖ ≤ {@link #RATIO}. */
  public static final int POLAR_STEPS = 12;

  /** For I − OᵀX: what is above 1 by less than about 1e-7 may stay. */
  public static final int SIGN_STEPS = 20;

  /**
   * The largest norm that is capped at once, as the result is off by about 1e-7 of it. A power of
   * two, which scales without rounding.
   */
  private static final double RATIO = 512;

  /** The largest norm that need not be capped once more for that reason. */
  private static final double ACCURATE = 2;

  private static final int POWER_ITERATIONS = 64;

  private final Compute compute;
  private final double radius;
  private final MatrixSign msign;
  private final MatrixSign side;
  private final PolarFactor polar;

  public SpectralBall(Compute compute, double radius) {
    this.compute = compute;
    this.radius = radius;
    msign = new MatrixSign(compute, POLAR_STEPS, Precision.FLOAT32);
    side = new MatrixSign(compute, SIGN_STEPS, Precision.FLOAT32);
    polar = new PolarFactor(compute, Precision.FLOAT32);
  }

  /** Intermediates: two m × n matrices, those of the polar factor, and two n × 1. */
  public record Buffers(
      Matrices o,
      Matrices next,
      PolarFactor.Buffers polar,
      Matrices v,
      Matrices w,
      Scalars scale) {}

  /** Takes the intermediates out of a carver, for m × n matrices stored as they are. */
  public Buffers carve(Carver carver, int m, int n, boolean transposed) {
    return new Buffers(
        carver.tall(m, n, transposed),
        carver.tall(m, n, transposed),
        polar.carve(carver, m, n, transposed),
        carver.matrices(n, 1),
        carver.matrices(n, 1),
        carver.scalars());
  }

  /**
   * The levels at which a matrix of at most this norm is to be capped, one after the other, for
   * unit radius: powers of {@link #RATIO}, the last one 1.
   */
  public static List<Double> levels(double norm) {
    List<Double> levels = new ArrayList<>();
    levels.add(1.0);
    if (norm > ACCURATE) {
      levels.add(1.0);
    }
    for (double level = RATIO; level < norm; level *= RATIO) {
      levels.add(0, level);
    }
    return levels;
  }

  /**
   * to ← radius · cap(x).
   *
   * @param levels see {@link #levels}
   * @param scale of x: unit radius times this, no more than the first level
   * @param x overwritten
   */
  public void cap(
      List<Double> levels, double scale, Matrices x, Matrices to, Buffers b, Flops flops) {
    double unit = scale;
    for (double level : levels) {
      if (level != unit) {
        compute.combine(unit / level, x, 0, x);
        unit = level;
      }
      cap(x, to, b, flops);
    }
    compute.combine(radius, x, 0, to);
  }

  /**
   * x ← cap(x) for unit radius.
   *
   * @param d like x, to work in
   */
  private void cap(Matrices x, Matrices d, Buffers b, Flops flops) {
    Matrices h = b.polar().x();
    Matrices o = polarOf(x, b, flops);
    polar.polish(o, o.equals(b.o()) ? b.next() : b.o(), 1, d, b.polar(), flops);
    compute.product(1, d, true, x, false, 0, h, Precision.FLOAT32);
    flops.product(h.rows(), h.cols(), x.rows());
    compute.combine(1, x, -1, d);
    Matrices p = projector(h, b, flops);
    compute.product(-1, d, false, p, false, 1, x, Precision.FLOAT32);
    flops.product(x.rows(), x.cols(), x.cols());
  }

  private Matrices polarOf(Matrices x, Buffers b, Flops flops) {
    compute.maxAbs(x, b.scale());
    compute.divide(x, b.scale(), b.o());
    return msign.general(
        b.o(), new MatrixSign.Buffers(b.next(), b.polar().t(), b.polar().d(), b.scale()), flops);
  }

  /** (I − msign(I − h)) / 2; h is overwritten. */
  private Matrices projector(Matrices h, Buffers b, Flops flops) {
    compute.symmetrize(h, h);
    compute.combine(-1, h, 0, h);
    compute.addIdentity(1, h);
    compute.maxAbs(h, b.scale());
    compute.divide(h, b.scale(), h);
    PolarFactor.Buffers squares = b.polar();
    Matrices s =
        side.general(
            h, new MatrixSign.Buffers(squares.x2(), squares.t(), squares.d(), b.scale()), flops);
    compute.combine(-0.5, s, 0, s);
    compute.addIdentity(0.5, s);
    return s;
  }

  /** s ← an estimate, from below, of ‖W / r‖². */
  public void largestSquare(Matrices w, Buffers b, Scalars s) {
    Matrices gram = b.polar().x();
    // Divided first: r² may be more, or less, than a float32 holds.
    Matrices u = b.o();
    compute.combine(1 / radius, w, 0, u);
    compute.symmetricProduct(1, u, true, u, false, 0, null, 0, gram, Precision.FLOAT32);
    compute.largestEigenvalue(gram, b.v(), b.w(), POWER_ITERATIONS, s);
  }
}
