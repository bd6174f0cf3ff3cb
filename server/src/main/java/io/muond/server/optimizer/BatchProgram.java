package io.muond.server.optimizer;

import io.muond.server.engine.Region;
import io.muond.server.linalg.PolarFactor;
import java.util.List;

/**
 * The operations on one batch. Every method runs on the engine's own thread, and none allocates
 * device memory: the workspace has at least {@link #workspaceFloats} elements, holds nothing
 * between calls and is shared by all programs.
 */
public interface BatchProgram {
  /** The largest learning rate that the polar retraction covers. */
  double MAX_LEARNING_RATE = PolarFactor.MAX_LEARNING_RATE;

  BatchSpec spec();

  /** Elements of workspace that any of the methods needs. */
  long workspaceFloats();

  /** Numbers that a step reads on the device: what changes from one step to the next. */
  default int inputNumbers() {
    return spec().count();
  }

  /**
   * The {@link #inputNumbers} of a step: the learning rates, if a program does not say otherwise.
   *
   * @param learningRates per matrix
   * @param age see {@link StepRunner.Given#age}
   */
  default double[] inputs(List<Double> learningRates, long age) {
    return learningRates.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /** Numbers that a step leaves for its report. */
  int reportNumbers(ReportDetail detail);

  /** Fills {@code weights} with uniformly random points of the manifold, one seed per matrix. */
  void initialize(long[] seeds, Region weights, Region workspace);

  /**
   * Projects arbitrary matrices onto the manifold.
   *
   * @return per matrix, ‖to − from‖_F
   */
  double[] project(Region from, Region to, Region workspace);

  /**
   * One step: momentum, direction, retraction. The weights and the old momentum stay as they are.
   */
  BatchStep step(StepInput input);
}
