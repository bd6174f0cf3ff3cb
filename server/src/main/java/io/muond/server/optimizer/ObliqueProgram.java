package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import java.util.ArrayList;
import java.util.List;

/**
 * Steepest descent on spheres, row by row: A = P(g)/‖P(g)‖ with P(g) = g − w⟨w, g⟩/‖w‖², then w ←
 * r(w − rηA)/‖·‖. A sphere ("hyperspherical descent") is a single row.
 */
final class ObliqueProgram implements BatchProgram {
  private final Engine engine;
  private final Compute compute;
  private final BatchSpec spec;

  ObliqueProgram(Engine engine, BatchSpec spec) {
    this.engine = engine;
    this.compute = engine.compute();
    this.spec = spec;
  }

  @Override
  public BatchSpec spec() {
    return spec;
  }

  @Override
  public long workspaceFloats() {
    Carver carver = Carver.counting(spec.count());
    intermediate(carver);
    intermediate(carver);
    return carver.used();
  }

  private Matrices intermediate(Carver carver) {
    return carver.matrices(Math.toIntExact(spec.rows()), Math.toIntExact(spec.columns()));
  }

  private Matrices view(Region region) {
    return Matrices.packed(
        region, spec.count(), Math.toIntExact(spec.rows()), Math.toIntExact(spec.columns()));
  }

  @Override
  public void initialize(long[] seeds, Region weights, Memory workspace) {
    for (int k = 0; k < spec.count(); k++) {
      Gaussian.fill(engine, weights, k * spec.matrixFloats(), spec.matrixFloats(), seeds[k]);
    }
    compute.normalizeRows(spec.radius(), view(weights), view(weights));
  }

  @Override
  public double[] project(Region from, Region to, Memory workspace) {
    compute.normalizeRows(spec.radius(), view(from), view(to));
    Scalars distance = compute.scalars(spec.count());
    compute.distance(view(from), view(to), distance);
    return compute.read(distance);
  }

  @Override
  public StepResult step(
      StepBuffers buffers, double[] learningRates, ReportDetail detail, Memory workspace) {
    long start = System.nanoTime();
    Carver carver = new Carver(workspace, spec.count());
    Matrices g = intermediate(carver);
    Matrices a = intermediate(carver);
    Matrices w = view(buffers.weights());
    Matrices next = view(buffers.next());
    Matrices gradient = view(buffers.gradient());
    Matrices momentum = buffers.momentum() == null ? null : view(buffers.momentum());
    Scalars objective = compute.scalars(spec.count());
    Scalars moved = compute.scalars(spec.count());
    Scalars tangency = compute.scalars(spec.count());
    Scalars orthogonality = compute.scalars(spec.count());
    Momentum.apply(compute, spec.rule(), gradient, momentum, g);
    checkFinite(g);
    compute.rowDirections(w, g, a, objective);
    compute.moveRows(spec.radius(), learningRates, w, a, next);
    if (detail != ReportDetail.BASIC) {
      compute.rowResiduals(spec.radius(), w, a, next, tangency, orthogonality);
    }
    compute.distance(next, w, moved);
    double seconds = (System.nanoTime() - start) * 1e-9;
    return new StepResult(
        seconds,
        reports(
            detail,
            compute.read(objective),
            compute.read(tangency),
            compute.read(orthogonality),
            compute.read(moved)));
  }

  private void checkFinite(Matrices taken) {
    Scalars largest = compute.scalars(spec.count());
    compute.maxAbs(taken, largest);
    double[] values = compute.read(largest);
    for (int k = 0; k < values.length; k++) {
      if (!Double.isFinite(values[k])) {
        throw NonFinite.find(engine, taken.matrix(k), k);
      }
    }
  }

  /** The direction is the optimum: both objectives are the same number. */
  private List<MatrixReport> reports(
      ReportDetail detail,
      double[] objective,
      double[] tangency,
      double[] orthogonality,
      double[] moved) {
    boolean residuals = detail != ReportDetail.BASIC;
    boolean optimum = detail == ReportDetail.OPTIMUM;
    List<MatrixReport> reports = new ArrayList<>();
    for (int k = 0; k < spec.count(); k++) {
      reports.add(
          new MatrixReport(
              objective[k],
              optimum ? objective[k] : Double.NaN,
              optimum ? objective[k] : Double.NaN,
              residuals ? tangency[k] : Double.NaN,
              residuals ? orthogonality[k] : Double.NaN,
              moved[k],
              0,
              0));
    }
    return reports;
  }
}
