package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Stopwatch;
import io.muond.server.linalg.Carver;

/**
 * Steepest descent on spheres, row by row: A = P(g)/‖P(g)‖ with P(g) = g − w⟨w, g⟩/‖w‖², then w ←
 * r(w − rηA)/‖·‖. A sphere ("hyperspherical descent") is a single row. Where rows have mean 0, g is
 * centred first, and w − rηA once more before it is divided. A batch is worked on in parts, so that
 * the workspace stays within bounds.
 */
final class ObliqueProgram implements BatchProgram {
  private final Engine engine;
  private final Compute compute;
  private final BatchSpec spec;
  private final RowPoints points;
  private final int part;

  ObliqueProgram(Engine engine, BatchSpec spec) {
    this.engine = engine;
    this.compute = engine.compute();
    this.spec = spec;
    points = new RowPoints(compute, spec);
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
    return Math.max(forStep.used(), points.workspaceFloats());
  }

  @Override
  public int reportNumbers(ReportDetail detail) {
    return new Numbers(spec.count(), detail).total();
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    points.initialize(seeds, weights, workspace);
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    return points.project(from, to, workspace);
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

  private final class Step extends DirectStep {
    Step(StepInput input) {
      super(engine, spec, input, /* transposed= */ false, part, /* residuals= */ 2);
    }

    @Override
    void enqueue(
        int from, int count, BatchView at, Numbers.Part out, Effort effort, Stopwatch watch) {
      Intermediates in = new Intermediates(new Carver(input.workspace(), count));
      Matrices taken = Momentum.apply(compute, spec.rule(), at.gradient, at.momentum, in.ahead);
      compute.maxAbs(taken, out.scale());
      boolean centered = points.centered();
      if (centered) {
        compute.centerRows(taken, in.a);
        taken = in.a;
      }
      compute.rowDirections(at.w, taken, in.a, out.objective());
      if (centered) {
        // The weight's own mean is 0 to rounding only, and that is large beside what is left of a
        // gradient almost along the weight.
        compute.centerRows(in.a, in.a);
      }
      compute.moveRows(
          spec.radius(), centered, input.numbers().slice(from, count), at.w, in.a, at.next);
      if (areResidualsAsked()) {
        compute.rowResiduals(
            spec.radius(), centered, at.w, in.a, at.next, out.tangency(), out.orthogonality());
      }
      compute.distance(at.next, at.w, out.moved());
    }

    @Override
    double tangency(double[] values, int k) {
      return numbers.tangency(values, k);
    }

    @Override
    double orthogonality(double[] values, int k) {
      return numbers.orthogonality(values, k);
    }
  }
}
