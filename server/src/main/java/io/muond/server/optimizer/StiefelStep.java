package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import io.muond.server.engine.Stopwatch;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.linalg.MatrixSign;
import io.muond.server.linalg.PolarFactor;
import java.util.ArrayList;
import java.util.List;

/** One step of a batch on the Stiefel manifold. */
final class StiefelStep implements BatchStep {
  /** msign steps of the retraction of solvers whose A is not tangent. */
  static final int RETRACTION_STEPS = 20;

  private final StiefelProgram program;
  private final StepInput input;
  private final Compute compute;
  private final BatchSpec spec;
  private final BatchView view;
  private final Numbers numbers;

  StiefelStep(StiefelProgram program, StepInput input) {
    this.program = program;
    this.input = input;
    compute = program.compute;
    spec = program.spec;
    view = new BatchView(spec, program.transposed, input.buffers());
    numbers = new Numbers(spec.count(), input.detail());
  }

  /**
   * @param ranges of the retraction's polynomials, for each part
   */
  private record Recipe(ReportDetail detail, List<Double> ranges) {}

  @Override
  public Object recipe() {
    boolean looksAtResults =
        spec.rule().solver() == Solver.DUAL_ASCENT || input.detail() == ReportDetail.OPTIMUM;
    if (looksAtResults && !program.inFrobeniusNorm()) {
      return null;
    }
    List<Double> ranges = new ArrayList<>();
    for (int from = 0; from < spec.count(); from += program.part) {
      ranges.add(range(from));
    }
    return new Recipe(input.detail(), ranges);
  }

  private int length(int from) {
    return Math.min(program.part, spec.count() - from);
  }

  /** The retraction's range of the part that begins at a matrix. */
  private double range(int from) {
    double largest = 0;
    for (int k = from; k < from + length(from); k++) {
      largest = Math.max(largest, input.learningRates().get(k));
    }
    return PolarFactor.range(largest);
  }

  @Override
  public Effort enqueue(Stopwatch watch) {
    Effort effort = new Effort(spec.count());
    for (int from = 0; from < spec.count(); from += program.part) {
      effort.add(from, new Part(from, watch).enqueue());
    }
    return effort;
  }

  @Override
  public List<MatrixReport> reports(Effort effort, double[] values) {
    List<MatrixReport> reports = new ArrayList<>();
    for (int k = 0; k < spec.count(); k++) {
      if (!Double.isFinite(numbers.scale(values, k))) {
        throw view.notFinite(program.engine, k);
      }
      double unit = program.scaleInvariant ? numbers.scale(values, k) : 1;
      double objective = unit * numbers.objective(values, k);
      // In the Frobenius norm the direction is the optimum.
      boolean best = program.inFrobeniusNorm() && input.detail() == ReportDetail.OPTIMUM;
      reports.add(
          new MatrixReport(
              objective,
              best ? objective : unit * effort.optimum(k),
              best ? objective : unit * effort.feasible(k),
              numbers.tangency(values, k) / program.n,
              numbers.orthogonality(values, k),
              numbers.moved(values, k),
              effort.iterations(k),
              effort.flops(k)));
    }
    return reports;
  }

  /** A part's intermediates and its solver, cut out of the workspace. */
  static final class Intermediates {
    final Matrices g;
    final Matrices a;
    final Matrices u;
    final Direction direction;
    final Direction.Buffers solver;
    final PolarFactor.Buffers polar;
    final Scalars size;

    Intermediates(StiefelProgram program, Carver carver, int count) {
      int m = program.m;
      int n = program.n;
      g = carver.tall(m, n, program.transposed);
      a = carver.tall(m, n, program.transposed);
      u = program.spec.radius() == 1 ? null : carver.tall(m, n, program.transposed);
      direction = program.direction(count);
      solver = direction.carve(carver);
      polar = program.polar.carve(carver, m, n, program.transposed);
      size = carver.scalars();
    }
  }

  /** The step of consecutive matrices. */
  private final class Part {
    private final int first;
    private final Stopwatch watch;
    private final BatchView at;
    private final Intermediates in;
    private final Numbers.Part out;
    private final Scalars eta;
    private final Matrices u;
    private final Effort effort;
    private final Flops flops;

    Part(int first, Stopwatch watch) {
      this.first = first;
      this.watch = watch;
      int count = length(first);
      at = view.part(first, count);
      in = new Intermediates(program, new Carver(input.workspace(), count), count);
      out = numbers.part(input.report(), first, count);
      eta = input.numbers().slice(first, count);
      u = in.u == null ? at.w : in.u;
      effort = new Effort(count);
      flops = effort.each();
    }

    Effort enqueue() {
      gradient();
      solve();
      if (numbers.residuals()) {
        tangency();
      }
      if (input.detail() == ReportDetail.OPTIMUM && !program.inFrobeniusNorm()) {
        watch.stop();
        Optimum.of(u, in.g, in.a, effort);
        watch.start();
      }
      retract();
      if (numbers.residuals()) {
        orthogonality();
      }
      compute.distance(at.next, at.w, out.moved());
      return effort;
    }

    private void orthogonality() {
      Matrices next = at.next;
      if (in.u != null) {
        next = in.u;
        compute.combine(1 / spec.radius(), at.next, 0, next);
      }
      program.stiefel.residual(next, in.polar.x(), out.orthogonality());
      flops.half(program.n, program.m);
    }

    private void gradient() {
      Matrices taken = Momentum.apply(compute, spec.rule(), at.gradient, at.momentum, in.g);
      compute.maxAbs(taken, out.scale());
      if (program.scaleInvariant) {
        compute.divide(taken, out.scale(), in.g);
      } else if (!taken.equals(in.g)) {
        compute.copy(taken, in.g);
      }
    }

    private void solve() {
      if (in.u != null) {
        compute.combine(1 / spec.radius(), at.w, 0, in.u);
      }
      // The solver may overwrite its gradient, and `next` is free until the retraction.
      compute.copy(in.g, at.next);
      in.solver.solve(u, at.next, in.a, effort);
      compute.dot(in.g, in.a, out.objective());
      compute.frobenius(in.a, in.size);
    }

    private void tangency() {
      Matrices h = in.polar.x();
      compute.product(1, u, true, in.a, false, 0, h, Precision.FLOAT32);
      flops.product(program.n, program.n, program.m);
      compute.frobeniusOfSymmetricPart(h, out.tangency());
    }

    private void retract() {
      Matrices y = in.g;
      compute.copy(u, y);
      compute.combineEach(-1, eta, in.a, 1, y);
      PolarFactor polar = program.polar;
      if (in.direction.tangent()) {
        polar.ofStep(range(first), y, in.a, spec.radius(), at.next, in.polar, flops);
      } else {
        Matrices sign = signOf(y);
        Matrices spare = sign.equals(y) ? in.a : y;
        polar.polish(sign, spare, spec.radius(), at.next, in.polar, flops);
      }
      compute.copyWhereZero(in.size, at.w, at.next);
      compute.copyWhereZero(eta, at.w, at.next);
    }

    /** Returns y or in.a, never `next`: a product must not overwrite its operand. */
    private Matrices signOf(Matrices y) {
      compute.maxAbs(y, out.moved());
      compute.divide(y, out.moved(), y);
      MatrixSign msign = new MatrixSign(compute, RETRACTION_STEPS, Precision.FLOAT32);
      return msign.general(
          y, new MatrixSign.Buffers(in.a, in.polar.t(), in.polar.d(), out.moved()), flops);
    }
  }
}
