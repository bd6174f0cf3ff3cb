package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.linalg.MatrixSign;
import io.muond.server.linalg.PolarFactor;

/** One step of a batch on the Stiefel manifold. */
final class StiefelStep extends PartwiseStep {
  /** msign steps of the retraction of solvers whose A is not tangent. */
  static final int RETRACTION_STEPS = 20;

  private final StiefelProgram program;
  private final Compute compute;
  private final BatchSpec spec;

  StiefelStep(StiefelProgram program, StepInput input) {
    super(program, input);
    this.program = program;
    compute = program.compute;
    spec = program.spec;
  }

  /** Parts differ in the range of the retraction's polynomials. */
  @Override
  public Object recipe() {
    return program.looksAtResults() ? null : recipe(PolarFactor::range);
  }

  @Override
  void enqueue(Part part) {
    new Work(part).enqueue();
  }

  @Override
  double unit(double[] values, int k) {
    return program.direction.scaleInvariant() ? numbers.scale(values, k) : 1;
  }

  @Override
  double tangency(double[] values, int k) {
    return numbers.tangency(values, k) / program.shape.n();
  }

  /** A part's intermediates and its solver, cut out of the workspace. */
  static final class Intermediates {
    final Matrices g;
    final Matrices a;
    final Matrices u;
    final Direction.Buffers solver;
    final PolarFactor.Buffers polar;
    final Scalars size;

    Intermediates(StiefelProgram program, Carver carver) {
      Shape shape = program.shape;
      g = shape.carve(carver);
      a = shape.carve(carver);
      u = program.spec.radius() == 1 ? null : shape.carve(carver);
      solver = program.direction.carve(carver);
      polar = program.polar.carve(carver, shape.m(), shape.n(), shape.transposed());
      size = carver.scalars();
    }
  }

  /** The step of consecutive matrices. */
  private final class Work {
    private final Part part;
    private final BatchView at;
    private final Intermediates in;
    private final Numbers.Part out;
    private final Scalars eta;
    private final Matrices u;
    private final Flops flops;

    Work(Part part) {
      this.part = part;
      at = part.at();
      in = program.carve(part.room());
      out = part.out();
      eta = eta(part);
      u = in.u == null ? at.w : in.u;
      flops = part.effort().each();
    }

    void enqueue() {
      gradient();
      solve();
      if (numbers.areResidualsAsked()) {
        tangency();
      }
      measureOptimum(part, () -> Optimum.of(u, in.g, in.a, part.effort()));
      retract();
      if (numbers.areResidualsAsked()) {
        orthogonality();
      }
    }

    private void orthogonality() {
      Matrices next = at.next;
      if (in.u != null) {
        next = in.u;
        compute.combine(1 / spec.radius(), at.next, 0, next);
      }
      program.stiefel.residual(next, in.polar.x(), out.orthogonality());
      flops.half(program.shape.n(), program.shape.m());
    }

    private void gradient() {
      Matrices taken = taken(part, in.g);
      if (program.direction.scaleInvariant()) {
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
      in.solver.solve(u, at.next, in.a, part.effort());
      compute.dot(in.g, in.a, out.objective());
      compute.frobenius(in.a, in.size);
    }

    private void tangency() {
      Matrices h = in.polar.x();
      compute.product(1, u, true, in.a, false, 0, h, Precision.FLOAT32);
      flops.product(program.shape.n(), program.shape.n(), program.shape.m());
      compute.frobeniusOfSymmetricPart(h, out.tangency());
    }

    private void retract() {
      Matrices y = in.g;
      compute.copy(u, y);
      compute.combineEach(-1, eta, in.a, 1, y);
      PolarFactor polar = program.polar;
      if (program.direction.tangent()) {
        polar.ofStep(
            PolarFactor.range(largestRate(part.from())),
            y,
            in.a,
            spec.radius(),
            at.next,
            in.polar,
            flops);
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
