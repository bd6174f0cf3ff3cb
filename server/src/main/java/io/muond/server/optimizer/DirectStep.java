package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Stopwatch;
import java.util.ArrayList;
import java.util.List;

/**
 * A step that takes the matrices of a batch part by part, by operations that are always the same.
 */
abstract class DirectStep implements BatchStep {
  private final Engine engine;
  private final BatchSpec spec;
  final StepInput input;
  final BatchView view;
  final Numbers numbers;
  private final int part;

  /**
   * @param transposed whether the matrices are seen so
   * @param part how many are worked on at a time
   * @param residuals see {@link Numbers}
   */
  DirectStep(
      Engine engine, BatchSpec spec, StepInput input, boolean transposed, int part, int residuals) {
    this.engine = engine;
    this.spec = spec;
    this.input = input;
    this.part = part;
    view = new BatchView(spec, transposed, input.buffers());
    numbers = new Numbers(spec.count(), input.detail(), residuals);
  }

  @Override
  public Object recipe() {
    return input.detail();
  }

  @Override
  public Effort enqueue(Stopwatch watch) {
    Effort effort = new Effort(spec.count());
    for (int from = 0; from < spec.count(); from += part) {
      int count = Math.min(part, spec.count() - from);
      Effort itsEffort = new Effort(count);
      Numbers.Part out = numbers.part(input.report(), from, count);
      enqueue(from, count, view.part(from, count), out, itsEffort, watch);
      effort.add(from, itsEffort);
    }
    return effort;
  }

  /** Matrices [from, from + count). */
  abstract void enqueue(
      int from, int count, BatchView at, Numbers.Part out, Effort effort, Stopwatch watch);

  boolean isOptimumAsked() {
    return input.detail() == ReportDetail.OPTIMUM;
  }

  boolean areResidualsAsked() {
    return input.detail().compareTo(ReportDetail.RESIDUALS) >= 0;
  }

  @Override
  public List<MatrixReport> reports(Effort effort, double[] values) {
    List<MatrixReport> reports = new ArrayList<>();
    for (int k = 0; k < spec.count(); k++) {
      requireFinite(values, k);
      double unit = unit(values, k);
      double objective = unit * numbers.objective(values, k);
      boolean best = isOptimumAsked() && Double.isNaN(effort.optimum(k));
      reports.add(
          new MatrixReport(
              objective,
              best ? objective : unit * effort.optimum(k),
              best ? objective : unit * effort.feasible(k),
              tangency(values, k),
              orthogonality(values, k),
              numbers.moved(values, k),
              effort.iterations(k),
              effort.flops(k)));
    }
    return reports;
  }

  /** Throws what a matrix is refused with, if it is. */
  void requireFinite(double[] values, int k) {
    if (!Double.isFinite(numbers.scale(values, k))) {
      throw view.notFinite(engine, k);
    }
  }

  /** What the gradient had been divided by where its objective was computed. */
  double unit(double[] values, int k) {
    return 1;
  }

  double tangency(double[] values, int k) {
    return areResidualsAsked() ? 0 : Double.NaN;
  }

  double orthogonality(double[] values, int k) {
    return areResidualsAsked() ? 0 : Double.NaN;
  }
}
