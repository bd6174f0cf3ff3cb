package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.manifold.SpectralBall;
import io.muond.server.manifold.Stiefel;
import java.util.List;

/**
 * Matrices whose singular values are bounded, one at a time. The first m rows of a uniformly random
 * (m + n + 1) × n matrix with orthonormal columns are uniform in the ball: the density of a block
 * of m rows out of N is proportional to det(I − XᵀX) to the power of (N − m − n − 1) / 2
 * (Khoruzhenko, Sommers, Życzkowski, "Truncations of random orthogonal matrices", Physical Review E
 * 82, 2010).
 */
final class BallPoints implements Points {
  private final Compute compute;
  private final BatchSpec spec;
  private final Shape shape;
  private final SpectralBall ball;
  private final Stiefel stiefel;

  BallPoints(Compute compute, BatchSpec spec) {
    this.compute = compute;
    this.spec = spec;
    shape = Shape.tall(spec);
    ball = new SpectralBall(compute, spec.radius());
    stiefel = new Stiefel(compute, 1);
  }

  @Override
  public long workspaceFloats() {
    Carver forStart = Carver.counting(1);
    new Draw(forStart);
    Carver forProjection = Carver.counting(1);
    new Projection(forProjection);
    return Math.max(forStart.used(), forProjection.used());
  }

  private Matrices view(Region region) {
    return shape.view(region, spec.count());
  }

  /** What a random matrix is cut out of. */
  private final class Draw {
    final Matrices q;
    final Stiefel.Buffers buffers;

    Draw(Carver carver) {
      int rows = Math.addExact(Math.addExact(shape.m(), shape.n()), 1);
      q = carver.tall(rows, shape.n(), shape.transposed());
      buffers = stiefel.carve(carver, rows, shape.n(), shape.transposed());
    }

    void fill(long seed) {
      Region region = new Region(q.memory(), q.offset(), q.matrixFloats());
      Gaussian.fill(region, 0, q.matrixFloats(), seed);
    }
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    Draw draw = new Draw(new Carver(workspace, 1));
    Matrices w = view(weights);
    for (int k = 0; k < spec.count(); k++) {
      long seed = seeds[k];
      draw.fill(seed);
      stiefel.project(draw.q, draw.q, () -> draw.fill(~seed), draw.q, draw.buffers);
      compute.combine(spec.radius(), draw.q.block(0, 0, shape.m(), shape.n()), 0, w.matrix(k));
    }
  }

  /** A projection's intermediates. */
  private final class Projection {
    final Matrices x;
    final SpectralBall.Buffers buffers;
    final Scalars norm;
    final Scalars distance;

    Projection(Carver carver) {
      x = shape.carve(carver);
      buffers = ball.carve(carver, shape.m(), shape.n(), shape.transposed());
      norm = carver.scalars();
      distance = carver.scalars(spec.count());
    }
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    Projection in = new Projection(new Carver(workspace, 1));
    Matrices source = view(from);
    Matrices target = view(to);
    for (int k = 0; k < spec.count(); k++) {
      project(source.matrix(k), target.matrix(k), in);
    }
    compute.distance(source, target, in.distance);
    return compute.read(in.distance);
  }

  private void project(Matrices from, Matrices to, Projection in) {
    compute.frobenius(from, in.norm);
    double norm = compute.read(in.norm)[0] / spec.radius();
    if (norm <= 1) {
      compute.copy(from, to);
      return;
    }
    // W / r may be more than a float32 holds: straight to the first level, and divided first, since
    // the factor of a huge matrix could be less than one holds in full.
    List<Double> levels = SpectralBall.levels(norm);
    compute.maxAbs(from, in.norm);
    compute.divide(from, in.norm, in.x);
    double factor = compute.read(in.norm)[0] / spec.radius() / levels.get(0);
    compute.combine(factor, in.x, 0, in.x);
    ball.cap(levels, levels.get(0), in.x, to, in.buffers, new Flops());
  }
}
