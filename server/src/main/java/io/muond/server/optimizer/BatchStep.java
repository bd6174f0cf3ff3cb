package io.muond.server.optimizer;

import io.muond.server.engine.Stopwatch;
import java.util.List;

/**
 * One step of a batch: first its operations are asked for, then, when they are done and their
 * numbers read, it says what it did.
 */
public interface BatchStep {
  /**
   * What the operations depend on beside the memory that they work on: with equal recipes they are
   * the same. Null if they depend on results, so that they cannot be recorded.
   */
  Object recipe();

  /**
   * Asks for the operations.
   *
   * @param watch runs already; pauses where something is measured rather than computed
   * @return what is known of the effort
   */
  Effort enqueue(Stopwatch watch);

  /**
   * What the step did, per matrix.
   *
   * @param effort as {@link #enqueue} returned it, now or when the operations were recorded
   * @param numbers what the operations left in the batch's {@link BatchProgram#reportNumbers}
   * @throws NotFiniteException if a gradient, or the momentum made of it, is not finite
   */
  List<MatrixReport> reports(Effort effort, double[] numbers);
}
