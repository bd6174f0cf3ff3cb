package io.muond.server.optimizer;

import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import java.util.List;

/**
 * What one step of a batch works with.
 *
 * @param learningRates per matrix, in the norm of the unit-radius manifold; finite, at least 0 and
 *     at most {@link BatchProgram#MAX_LEARNING_RATE} on the Stiefel manifold
 * @param numbers {@link BatchProgram#inputs} on the device
 * @param report where {@link BatchProgram#reportNumbers} numbers go
 * @param workspace of {@link BatchProgram#workspaceFloats} elements
 */
public record StepInput(
    StepBuffers buffers,
    List<Double> learningRates,
    ReportDetail detail,
    Scalars numbers,
    Scalars report,
    Region workspace) {

  public StepInput {
    learningRates = List.copyOf(learningRates);
  }
}
