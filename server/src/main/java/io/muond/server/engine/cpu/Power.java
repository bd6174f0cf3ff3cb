package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import java.util.SplittableRandom;

/** Power iteration. */
final class Power {
  private final CpuCompute compute;

  Power(CpuCompute compute) {
    this.compute = compute;
  }

  void largestEigenvalue(Matrices h, Matrices v, Matrices w, int iterations, Scalars s) {
    start(v);
    for (int i = 0; i < iterations; i++) {
      compute.product(1, h, false, v, false, 0, w, Precision.FLOAT32);
      compute.maxAbs(w, s);
      compute.divide(w, s, v);
    }
    compute.product(1, h, false, v, false, 0, w, Precision.FLOAT32);
    double[] along = compute.dot(v, w);
    double[] squares = compute.dot(v, v);
    for (int k = 0; k < along.length; k++) {
      along[k] = squares[k] == 0 ? 0 : along[k] / squares[k];
    }
    compute.write(along, s);
  }

  /** Any vector with a part along the first eigenvector will do; this one has no pattern. */
  private static void start(Matrices v) {
    SplittableRandom random = new SplittableRandom(1);
    float[] element = new float[1];
    for (int i = 0; i < v.rows(); i++) {
      element[0] = (float) (0.5 + random.nextDouble());
      for (int k = 0; k < v.count(); k++) {
        CpuCompute.memory(v).put(v.offset() + k * v.stride() + i, element, 0, 1);
      }
    }
  }
}
