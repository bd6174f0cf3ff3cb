package io.muond.server.optimizer;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Region;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/** Reproducible standard normal numbers: the same seed gives the same numbers everywhere. */
final class Gaussian {
  private static final int CHUNK = 1 << 14;

  private Gaussian() {}

  /** Fills a batch, one seed per matrix. */
  static void fill(BatchSpec spec, Region weights, long[] seeds) {
    for (int k = 0; k < spec.count(); k++) {
      fill(weights, k * spec.matrixFloats(), spec.matrixFloats(), seeds[k]);
    }
  }

  /** Fills elements [from, from + floats) of a region. */
  static void fill(Region region, long from, long floats, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    ByteBuffer chunk = ByteBuffer.allocate(CHUNK * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (long done = 0; done < floats; done += CHUNK) {
      int n = (int) Math.min(CHUNK, floats - done);
      chunk.clear();
      for (int i = 0; i < n; i++) {
        chunk.putFloat((float) next(random));
      }
      chunk.flip();
      region.memory().receive(region.offset() + from + done, ElementType.FLOAT32, chunk);
    }
  }

  /** Box and Muller's first number, with StrictMath so that every platform agrees. */
  private static double next(SplittableRandom random) {
    double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - random.nextDouble()));
    return radius * StrictMath.cos(2 * Math.PI * random.nextDouble());
  }
}
