package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;

/** All matrices: nothing is projected. */
final class FlatPoints implements Points {
  private final Compute compute;
  private final BatchSpec spec;

  FlatPoints(Compute compute, BatchSpec spec) {
    this.compute = compute;
    this.spec = spec;
  }

  @Override
  public long workspaceFloats() {
    return 0;
  }

  private Matrices view(Region region) {
    return Shape.asStored(spec).view(region, spec.count());
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    switch (spec.start()) {
      case ZERO -> compute.zero(view(weights));
      case ONE -> Fill.with(weights, () -> 1);
      case GAUSSIAN -> {
        Gaussian.fill(spec, weights, seeds);
        compute.combine(1 / Math.sqrt((double) spec.columns()), view(weights), 0, view(weights));
      }
    }
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    compute.copy(view(from), view(to));
    return new double[spec.count()];
  }
}
