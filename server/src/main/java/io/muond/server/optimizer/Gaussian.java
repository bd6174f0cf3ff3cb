package io.muond.server.optimizer;

import io.muond.server.engine.Region;
import java.util.SplittableRandom;

/** Reproducible standard normal numbers: the same seed gives the same numbers everywhere. */
final class Gaussian {
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
    Fill.with(region.slice(from, floats), () -> next(random));
  }

  /** Box and Muller's first number, with StrictMath so that every platform agrees. */
  private static double next(SplittableRandom random) {
    double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - random.nextDouble()));
    return radius * StrictMath.cos(2 * Math.PI * random.nextDouble());
  }
}
