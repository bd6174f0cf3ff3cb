package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import java.util.List;

/** W ← (1 − ηλ)W − rηA: two numbers per matrix, first all of the former, then all of the latter. */
final class Descent {
  private Descent() {}

  static int numbers(BatchSpec spec) {
    return Math.multiplyExact(2, spec.count());
  }

  static double[] inputs(BatchSpec spec, List<Double> learningRates) {
    double[] inputs = new double[numbers(spec)];
    for (int k = 0; k < spec.count(); k++) {
      double eta = learningRates.get(k);
      inputs[k] = 1 - eta * spec.rule().weightDecay();
      inputs[spec.count() + k] = spec.radius() * eta;
    }
    return inputs;
  }

  /**
   * The new weights of a part, the matrices from {@code from} on.
   *
   * @param a may be where the new weights go
   */
  static void apply(
      Compute compute, Scalars inputs, BatchSpec spec, int from, BatchView at, Matrices a) {
    Scalars keep = inputs.slice(from, at.w.count());
    Scalars step = inputs.slice(spec.count() + from, at.w.count());
    compute.descend(keep, step, at.w, a, at.next);
  }
}
