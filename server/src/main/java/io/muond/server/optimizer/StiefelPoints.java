package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.manifold.Stiefel;

/** Stiefel matrices, projected one at a time: the polar factor of gaussian numbers is uniform. */
final class StiefelPoints implements Points {
  private final Compute compute;
  private final BatchSpec spec;
  private final Shape shape;
  private final Stiefel stiefel;

  StiefelPoints(Compute compute, BatchSpec spec) {
    this.compute = compute;
    this.spec = spec;
    shape = Shape.tall(spec);
    stiefel = new Stiefel(compute, spec.radius());
  }

  @Override
  public long workspaceFloats() {
    Carver carver = Carver.counting(1);
    new Projection(carver);
    return carver.used();
  }

  private Matrices view(Region region) {
    return shape.view(region, spec.count());
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    Gaussian.fill(spec, weights, seeds);
    projectAll(view(weights), view(weights), new Projection(new Carver(workspace, 1)));
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    Matrices source = view(from);
    Matrices target = view(to);
    Projection projection = new Projection(new Carver(workspace, 1));
    projectAll(source, target, projection);
    compute.distance(source, target, projection.distance);
    return compute.read(projection.distance);
  }

  private void projectAll(Matrices from, Matrices to, Projection in) {
    for (int k = 0; k < spec.count(); k++) {
      long seed = k;
      Runnable fill = () -> Gaussian.fill(in.region(), 0, in.random.matrixFloats(), seed);
      stiefel.project(from.matrix(k), in.random, fill, to.matrix(k), in.buffers);
    }
  }

  /** A projection's intermediates: one matrix at a time. */
  private final class Projection {
    final Stiefel.Buffers buffers;
    final Matrices random;
    final Scalars distance;

    Projection(Carver carver) {
      buffers = stiefel.carve(carver, shape.m(), shape.n(), shape.transposed());
      random = shape.carve(carver);
      distance = carver.scalars(spec.count());
    }

    Region region() {
      return new Region(random.memory(), random.offset(), random.matrixFloats());
    }
  }
}
