package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import io.muond.server.engine.Stopwatch;
import io.muond.server.linalg.Carver;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;

/** A step that takes the matrices of a batch part by part. */
abstract class PartwiseStep implements BatchStep {
  private final Program program;
  private final Compute compute;
  private final BatchSpec spec;
  final StepInput input;
  final BatchView view;
  final Numbers numbers;

  PartwiseStep(Program program, StepInput input) {
    this.program = program;
    this.input = input;
    compute = program.compute;
    spec = program.spec;
    view = new BatchView(spec, program.shape, input.buffers());
    numbers = program.numbers(input.detail());
  }

  /** If the operations are always the same. */
  @Override
  public Object recipe() {
    return measuresOptimum() ? null : input.detail();
  }

  /**
   * @param ofParts what the largest learning rate of each part makes of its operations
   */
  private record Recipe(ReportDetail detail, List<Object> ofParts) {}

  /** If a part's operations depend on its largest learning rate. */
  final Object recipe(DoubleFunction<Object> ofLargestRate) {
    if (measuresOptimum()) {
      return null;
    }
    List<Object> ofParts = new ArrayList<>();
    for (int from = 0; from < spec.count(); from += program.part) {
      ofParts.add(ofLargestRate.apply(largestRate(from)));
    }
    return new Recipe(input.detail(), ofParts);
  }

  private int length(int from) {
    return Math.min(program.part, spec.count() - from);
  }

  /** The largest learning rate of the part that begins at a matrix. */
  final double largestRate(int from) {
    double largest = 0;
    for (int k = from; k < from + length(from); k++) {
      largest = Math.max(largest, input.learningRates().get(k));
    }
    return largest;
  }

  @Override
  public Effort enqueue(Stopwatch watch) {
    Effort effort = new Effort(spec.count());
    for (int from = 0; from < spec.count(); from += program.part) {
      Part part = part(from, watch);
      enqueue(part);
      compute.distance(part.at().next, part.at().w, part.out().moved());
      effort.add(from, part.effort());
    }
    return effort;
  }

  private Part part(int from, Stopwatch watch) {
    int count = length(from);
    return new Part(
        from,
        view.part(from, count),
        new Carver(input.workspace(), count),
        numbers.part(input.report(), from, count),
        new Effort(count),
        watch);
  }

  /** All of a part but {@code moved}. */
  abstract void enqueue(Part part);

  /**
   * Momentum, and the largest element of what the step takes for G.
   *
   * @param ahead takes the look-ahead, if there is one
   */
  final Matrices taken(Part part, Matrices ahead) {
    BatchView at = part.at();
    Matrices taken = Momentum.apply(compute, spec.rule(), at.gradient, at.momentum, ahead);
    compute.maxAbs(taken, part.out().scale());
    return taken;
  }

  /** A part's learning rates, where the step's {@link BatchProgram#inputs} are no others. */
  final Scalars eta(Part part) {
    return input.numbers().slice(part.from(), part.count());
  }

  /** Runs what tells the {@link Effort} the optimum, if it is asked for. It counts for no time. */
  final void measureOptimum(Part part, Runnable measurement) {
    if (measuresOptimum()) {
      part.watch().stop();
      measurement.run();
      part.watch().start();
    }
  }

  private boolean isOptimumAsked() {
    return input.detail() == ReportDetail.OPTIMUM;
  }

  private boolean measuresOptimum() {
    return isOptimumAsked() && !program.isOptimal();
  }

  @Override
  public List<MatrixReport> reports(Effort effort, double[] values) {
    List<MatrixReport> reports = new ArrayList<>();
    for (int k = 0; k < spec.count(); k++) {
      requireFinite(values, k);
      double unit = unit(values, k);
      double objective = unit * numbers.objective(values, k);
      boolean best = isOptimumAsked() && program.isOptimal();
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
      throw view.notFinite(program.engine, k);
    }
  }

  /** What the gradient had been divided by where its objective was computed. */
  double unit(double[] values, int k) {
    return 1;
  }

  double tangency(double[] values, int k) {
    return numbers.tangency(values, k);
  }

  double orthogonality(double[] values, int k) {
    return numbers.orthogonality(values, k);
  }
}
