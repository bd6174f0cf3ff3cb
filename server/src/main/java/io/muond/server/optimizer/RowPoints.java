package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.manifold.ManifoldKind;

/** Rows on spheres, or on those spheres' equators where the mean is 0. */
final class RowPoints implements Points {
  private final Compute compute;
  private final BatchSpec spec;

  RowPoints(Compute compute, BatchSpec spec) {
    this.compute = compute;
    this.spec = spec;
  }

  static boolean centered(BatchSpec spec) {
    return spec.manifold() == ManifoldKind.CENTERED_OBLIQUE;
  }

  @Override
  public long workspaceFloats() {
    Carver carver = Carver.counting(1);
    carver.scalars(spec.count());
    return carver.used();
  }

  private Matrices view(Region region) {
    return Shape.asStored(spec).view(region, spec.count());
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    Gaussian.fill(spec, weights, seeds);
    project(view(weights), view(weights));
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    project(view(from), view(to));
    Scalars distance = new Carver(workspace, 1).scalars(spec.count());
    compute.distance(view(from), view(to), distance);
    return compute.read(distance);
  }

  private void project(Matrices from, Matrices to) {
    if (centered(spec)) {
      compute.centerRows(from, to);
      compute.normalizeRows(spec.radius(), true, to, to);
    } else {
      compute.normalizeRows(spec.radius(), false, from, to);
    }
  }
}
