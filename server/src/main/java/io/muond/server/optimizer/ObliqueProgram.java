package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.engine.Stopwatch;
import io.muond.server.linalg.Carver;
import java.util.ArrayList;
import java.util.List;

/**
 * Steepest descent on spheres, row by row: A = P(g)/‖P(g)‖ with P(g) = g − w⟨w, g⟩/‖w‖², then w ←
 * r(w − rηA)/‖·‖. A sphere ("hyperspherical descent") is a single row. A batch is worked on in
 * parts, so that the workspace stays within bounds.
 */
final class ObliqueProgram implements BatchProgram {
  private final Engine engine;
  private final Compute compute;
  private final BatchSpec spec;
  private final int part;

  ObliqueProgram(Engine engine, BatchSpec spec) {
    this.engine = engine;
    this.compute = engine.compute();
    this.spec = spec;
    part = engine.batchFor(spec.count(), spec.matrixFloats());
  }

  @Override
  public BatchSpec spec() {
    return spec;
  }

  @Override
  public long workspaceFloats() {
    Carver forStep = Carver.counting(part);
    new Intermediates(forStep);
    Carver forProjection = Carver.counting(1);
    forProjection.scalars(spec.count());
    return Math.max(forStep.used(), forProjection.used());
  }

  @Override
  public int reportNumbers(ReportDetail detail) {
    return new Numbers(spec.count(), detail).total();
  }

  private Matrices view(Region region) {
    return BatchView.view(spec, false, region);
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    for (int k = 0; k < spec.count(); k++) {
      Gaussian.fill(weights, k * spec.matrixFloats(), spec.matrixFloats(), seeds[k]);
    }
    compute.normalizeRows(spec.radius(), false, view(weights), view(weights));
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    compute.normalizeRows(spec.radius(), false, view(from), view(to));
    Scalars distance = new Carver(workspace, 1).scalars(spec.count());
    compute.distance(view(from), view(to), distance);
    return compute.read(distance);
  }

  /** The direction, and the look-ahead if there is one. */
  private final class Intermediates {
    final Matrices a;
    final Matrices ahead;

    Intermediates(Carver carver) {
      a = intermediate(carver);
      ahead = spec.hasMomentum() && spec.rule().nesterov() ? intermediate(carver) : null;
    }

    private Matrices intermediate(Carver carver) {
      return carver.matrices(Math.toIntExact(spec.rows()), Math.toIntExact(spec.columns()));
    }
  }

  @Override
  public BatchStep step(StepInput input) {
    return new Step(input);
  }

  private final class Step implements BatchStep {
    private final StepInput input;
    private final BatchView view;
    private final Numbers numbers;

    Step(StepInput input) {
      this.input = input;
      view = new BatchView(spec, false, input.buffers());
      numbers = new Numbers(spec.count(), input.detail());
    }

    @Override
    public Object recipe() {
      return input.detail();
    }

    @Override
    public Effort enqueue(Stopwatch watch) {
      for (int from = 0; from < spec.count(); from += part) {
        enqueue(from, Math.min(part, spec.count() - from));
      }
      return new Effort(spec.count());
    }

    private void enqueue(int from, int count) {
      BatchView at = view.part(from, count);
      Numbers.Part out = numbers.part(input.report(), from, count);
      Intermediates in = new Intermediates(new Carver(input.workspace(), count));
      Matrices taken = Momentum.apply(compute, spec.rule(), at.gradient, at.momentum, in.ahead);
      compute.maxAbs(taken, out.scale());
      compute.rowDirections(at.w, taken, in.a, out.objective());
      compute.moveRows(
          spec.radius(), false, input.numbers().slice(from, count), at.w, in.a, at.next);
      if (numbers.residuals()) {
        compute.rowResiduals(
            spec.radius(), false, at.w, in.a, at.next, out.tangency(), out.orthogonality());
      }
      compute.distance(at.next, at.w, out.moved());
    }

    /** The direction is the optimum: both objectives are the same number. */
    @Override
    public List<MatrixReport> reports(Effort effort, double[] values) {
      boolean optimum = input.detail() == ReportDetail.OPTIMUM;
      List<MatrixReport> reports = new ArrayList<>();
      for (int k = 0; k < spec.count(); k++) {
        if (!Double.isFinite(numbers.scale(values, k))) {
          throw view.notFinite(engine, k);
        }
        double objective = numbers.objective(values, k);
        reports.add(
            new MatrixReport(
                objective,
                optimum ? objective : Double.NaN,
                optimum ? objective : Double.NaN,
                numbers.tangency(values, k),
                numbers.orthogonality(values, k),
                numbers.moved(values, k),
                0,
                0));
      }
      return reports;
    }
  }
}
