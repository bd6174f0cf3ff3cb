package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Stopwatch;
import java.util.Collections;
import java.util.List;

/** Weights that stay as they are, wherever they live: a step copies them, without a gradient. */
final class FrozenProgram extends Program {
  private static final MatrixReport NOTHING = new MatrixReport(0, 0, 0, 0, 0, 0, 0, 0);

  FrozenProgram(Engine engine, BatchSpec spec, Points points) {
    super(engine, spec, points);
  }

  @Override
  public int reportNumbers(ReportDetail detail) {
    return 0;
  }

  @Override
  public int inputNumbers() {
    return 0;
  }

  @Override
  public double[] inputs(List<Double> learningRates, long age) {
    return new double[0];
  }

  @Override
  public BatchStep step(StepInput input) {
    Matrices w = shape.view(input.buffers().weights(), spec.count());
    Matrices next = shape.view(input.buffers().next(), spec.count());
    return new BatchStep() {
      @Override
      public Object recipe() {
        return input.detail();
      }

      @Override
      public Effort enqueue(Stopwatch watch) {
        compute.copy(w, next);
        return new Effort(spec.count());
      }

      @Override
      public List<MatrixReport> reports(Effort effort, double[] numbers) {
        return Collections.nCopies(spec.count(), NOTHING);
      }
    };
  }
}
