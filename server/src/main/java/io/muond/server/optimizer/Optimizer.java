package io.muond.server.optimizer;

import io.muond.server.engine.Region;
import java.util.List;

/** Makes the programs of an engine. */
public interface Optimizer {
  /**
   * The program for a batch.
   *
   * @throws IllegalArgumentException if the engine cannot run it, saying why
   */
  BatchProgram program(BatchSpec spec);

  /**
   * What a step of a batch takes, in a unit that is the same for all batches: an estimate, to place
   * them on devices by. Any thread may ask.
   */
  double cost(BatchSpec spec);

  /**
   * Adds contributions: regions[0] ← Σ weights[i] regions[i], from the left. Runs on the engine's
   * own thread.
   */
  void sum(List<Region> regions, double[] weights);
}
