package io.muond.server.optimizer;

import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import io.muond.server.linalg.PolarFactor;
import java.util.List;

/**
 * The operations on one batch. Every method runs on the engine's own thread, and none allocates
 * device memory: {@code workspace} has at least {@link #workspaceFloats} elements, holds nothing
 * between calls and is shared by all programs.
 */
public interface BatchProgram {
  BatchSpec spec();

  /** Elements of workspace that any of the methods needs. */
  long workspaceFloats();

  /** Fills {@code weights} with uniformly random points of the manifold, one seed per matrix. */
  void initialize(long[] seeds, Region weights, Memory workspace);

  /**
   * Projects arbitrary matrices onto the manifold.
   *
   * @return per matrix, ‖to − from‖_F
   */
  double[] project(Region from, Region to, Memory workspace);

  /**
   * One step: momentum, direction, retraction. The weights and the old momentum stay as they are.
   *
   * @param learningRates per matrix, in the norm of the unit-radius manifold; finite, at least 0
   *     and at most {@link #MAX_LEARNING_RATE} on the Stiefel manifold
   * @return per matrix, what it did
   * @throws NotFiniteException if a gradient or the momentum made of it is not finite
   */
  StepResult step(
      StepBuffers buffers, double[] learningRates, ReportDetail detail, Memory workspace);

  /** The largest learning rate that the polar retraction covers. */
  double MAX_LEARNING_RATE = PolarFactor.MAX_LEARNING_RATE;

  /**
   * The outcome of a step.
   *
   * @param seconds that the engine worked, the optimum excluded
   * @param matrices one report per matrix
   */
  record StepResult(double seconds, List<MatrixReport> matrices) {}
}
