package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** All matrices: nothing is projected. */
final class FlatPoints implements Points {
  private static final int CHUNK = 1 << 14;

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
      case ONE -> ones(weights);
      case GAUSSIAN -> {
        Gaussian.fill(spec, weights, seeds);
        compute.combine(1 / Math.sqrt((double) spec.columns()), view(weights), 0, view(weights));
      }
    }
  }

  private void ones(Region weights) {
    ByteBuffer chunk = ByteBuffer.allocate(CHUNK * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < CHUNK; i++) {
      chunk.putFloat(1);
    }
    for (long from = 0; from < spec.floats(); from += CHUNK) {
      chunk.position(0).limit((int) Math.min(CHUNK, spec.floats() - from) * Float.BYTES);
      weights.memory().receive(weights.offset() + from, ElementType.FLOAT32, chunk);
    }
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    compute.copy(view(from), view(to));
    return new double[spec.count()];
  }
}
