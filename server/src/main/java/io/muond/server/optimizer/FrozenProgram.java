package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Stopwatch;
import java.util.Collections;
import java.util.List;

/** Weights that stay as they are, wherever they live: a step copies them, without a gradient. */
final class FrozenProgram implements BatchProgram {
  private static final MatrixReport NOTHING = new MatrixReport(0, 0, 0, 0, 0, 0, 0, 0);

  private final Compute compute;
  private final BatchSpec spec;
  private final Points points;

  FrozenProgram(Engine engine, BatchSpec spec, Points points) {
    this.compute = engine.compute();
    this.spec = spec;
    this.points = points;
  }

  @Override
  public BatchSpec spec() {
    return spec;
  }

  @Override
  public long workspaceFloats() {
    return points.workspaceFloats();
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
  public void initialize(long[] seeds, Region weights, Region workspace) {
    points.initialize(seeds, weights, workspace);
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    return points.project(from, to, workspace);
  }

  @Override
  public BatchStep step(StepInput input) {
    Matrices w = BatchView.view(spec, false, input.buffers().weights());
    Matrices next = BatchView.view(spec, false, input.buffers().next());
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
