package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;
import io.muond.server.linalg.MatrixSign;
import io.muond.server.linalg.PolarFactor;
import io.muond.server.manifold.Stiefel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Manifold Muon on a batch of Stiefel matrices: A = argmax ⟨G, A⟩ over ‖A‖ ≤ 1 in the tangent space
 * at W, then W ← r · polar(W/r − ηA). Wide weights are seen transposed. A batch is worked on in
 * parts, so that the workspace stays within bounds.
 */
final class StiefelProgram implements BatchProgram {
  /** msign steps of the retraction of solvers whose A is not tangent. */
  private static final int RETRACTION_STEPS = 20;

  private final Engine engine;
  private final Compute compute;
  private final BatchSpec spec;
  private final boolean transposed;
  private final int m;
  private final int n;
  private final int part;
  private final Stiefel stiefel;
  private final PolarFactor polar;
  private final long workspaceFloats;

  StiefelProgram(Engine engine, BatchSpec spec) {
    this.engine = engine;
    this.compute = engine.compute();
    this.spec = spec;
    transposed = spec.rows() < spec.columns();
    m = Math.toIntExact(Math.max(spec.rows(), spec.columns()));
    n = Math.toIntExact(Math.min(spec.rows(), spec.columns()));
    part = engine.batchFor(spec.count(), Math.max((long) m * n, 4L * n * n));
    stiefel = new Stiefel(compute, spec.radius());
    polar = new PolarFactor(compute);
    Carver forStep = Carver.counting(part);
    new StepIntermediates(forStep, part);
    Carver forProjection = Carver.counting(1);
    Stiefel.Buffers.carve(forProjection, compute, 1, m, n, transposed);
    forProjection.tall(m, n, transposed);
    workspaceFloats = Math.max(forStep.used(), forProjection.used());
  }

  @Override
  public BatchSpec spec() {
    return spec;
  }

  @Override
  public long workspaceFloats() {
    return workspaceFloats;
  }

  private Matrices view(Region region) {
    Matrices stored =
        Matrices.packed(
            region, spec.count(), Math.toIntExact(spec.rows()), Math.toIntExact(spec.columns()));
    return transposed ? stored.transpose() : stored;
  }

  @Override
  public void initialize(long[] seeds, Region weights, Memory workspace) {
    for (int k = 0; k < spec.count(); k++) {
      Gaussian.fill(engine, weights, k * spec.matrixFloats(), spec.matrixFloats(), seeds[k]);
    }
    projectAll(view(weights), view(weights), workspace);
  }

  @Override
  public double[] project(Region from, Region to, Memory workspace) {
    Matrices source = view(from);
    Matrices target = view(to);
    projectAll(source, target, workspace);
    Scalars distance = compute.scalars(spec.count());
    compute.distance(source, target, distance);
    return compute.read(distance);
  }

  private void projectAll(Matrices from, Matrices to, Memory workspace) {
    Carver carver = new Carver(workspace, 1);
    Stiefel.Buffers buffers = Stiefel.Buffers.carve(carver, compute, 1, m, n, transposed);
    Matrices random = carver.tall(m, n, transposed);
    Region randomRegion = new Region(random.memory(), random.offset(), random.matrixFloats());
    for (int k = 0; k < spec.count(); k++) {
      long seed = k;
      Runnable fill = () -> Gaussian.fill(engine, randomRegion, 0, random.matrixFloats(), seed);
      stiefel.project(from.matrix(k), random, fill, to.matrix(k), buffers);
    }
  }

  /** A part's intermediates and its solver, cut out of the workspace. */
  private final class StepIntermediates {
    final Matrices g;
    final Matrices a;
    final Matrices u;
    final Direction direction;
    final Direction.Buffers solver;
    final PolarFactor.Buffers polarBuffers;
    final Scalars scale;
    final Scalars objective;
    final Scalars size;
    final Scalars tangency;
    final Scalars orthogonality;
    final Scalars moved;

    StepIntermediates(Carver carver, int count) {
      g = carver.tall(m, n, transposed);
      a = carver.tall(m, n, transposed);
      u = spec.radius() == 1 ? null : carver.tall(m, n, transposed);
      direction = direction(count);
      solver = direction.carve(carver);
      polarBuffers = PolarFactor.Buffers.carve(carver, n);
      scale = compute.scalars(count);
      objective = compute.scalars(count);
      size = compute.scalars(count);
      tangency = compute.scalars(count);
      orthogonality = compute.scalars(count);
      moved = compute.scalars(count);
    }

    private Direction direction(int count) {
      Rule rule = spec.rule();
      StiefelDirection.Shape shape = new StiefelDirection.Shape(count, m, n, transposed);
      return switch (rule.solver()) {
        case EXACT -> new ExactDirection(compute, shape, rule);
        case PROJECTED -> new ProjectedDirection(compute, shape, rule);
        case DUAL_ASCENT -> new DualAscentDirection(compute, shape, rule);
        case ADMM -> new AdmmDirection(compute, shape, rule);
      };
    }
  }

  @Override
  public StepResult step(
      StepBuffers buffers, double[] learningRates, ReportDetail detail, Memory workspace) {
    Matrices w = view(buffers.weights());
    Matrices next = view(buffers.next());
    Matrices gradient = view(buffers.gradient());
    Matrices momentum = buffers.momentum() == null ? null : view(buffers.momentum());
    List<MatrixReport> reports = new ArrayList<>();
    double seconds = 0;
    for (int from = 0; from < spec.count(); from += part) {
      int count = Math.min(part, spec.count() - from);
      PartStep step =
          new PartStep(
              from,
              w.matrices(from, count),
              next.matrices(from, count),
              gradient.matrices(from, count),
              momentum == null ? null : momentum.matrices(from, count),
              Arrays.copyOfRange(learningRates, from, from + count),
              new StepIntermediates(new Carver(workspace, count), count));
      seconds += step.run(detail, reports);
    }
    return new StepResult(seconds, reports);
  }

  /** One step of consecutive matrices of the batch. */
  private final class PartStep {
    private final int first;
    private final Matrices w;
    private final Matrices next;
    private final Matrices gradient;
    private final Matrices momentum;
    private final double[] eta;
    private final StepIntermediates in;
    private final Matrices u;
    private final Effort effort;
    private final Flops flops;

    PartStep(
        int first,
        Matrices w,
        Matrices next,
        Matrices gradient,
        Matrices momentum,
        double[] eta,
        StepIntermediates in) {
      this.first = first;
      this.w = w;
      this.next = next;
      this.gradient = gradient;
      this.momentum = momentum;
      this.eta = eta;
      this.in = in;
      this.u = in.u == null ? w : in.u;
      effort = new Effort(eta.length);
      flops = effort.each();
    }

    /** Returns the seconds it took, the optimum excluded. */
    double run(ReportDetail detail, List<MatrixReport> reports) {
      long start = System.nanoTime();
      prepare();
      solve();
      if (detail.compareTo(ReportDetail.RESIDUALS) >= 0) {
        tangency();
      }
      long paused = System.nanoTime();
      double[] values = detail == ReportDetail.OPTIMUM ? Optimum.of(engine, u, in.g, in.a) : null;
      start += System.nanoTime() - paused;
      retract();
      finish(detail);
      double seconds = (System.nanoTime() - start) * 1e-9;
      report(detail, values, reports);
      return seconds;
    }

    private void prepare() {
      Momentum.apply(compute, spec.rule(), gradient, momentum, in.g);
      if (in.u != null) {
        compute.combine(1 / spec.radius(), w, 0, in.u);
      }
      compute.maxAbs(in.g, in.scale);
      checkFinite();
    }

    private void checkFinite() {
      double[] largest = compute.read(in.scale);
      for (int k = 0; k < largest.length; k++) {
        if (!Double.isFinite(largest[k])) {
          throw NonFinite.find(engine, in.g.matrix(k), first + k);
        }
      }
    }

    private void solve() {
      if (in.direction.scaleInvariant()) {
        compute.divide(in.g, in.scale, in.g);
      }
      // The solver may overwrite its gradient, and `next` is free until the retraction.
      compute.copy(in.g, next);
      in.solver.solve(u, next, in.a, effort);
      compute.dot(in.g, in.a, in.objective);
      compute.frobenius(in.a, in.size);
    }

    private void tangency() {
      Matrices h = in.polarBuffers.x();
      compute.product(1, u, true, in.a, false, 0, h, Precision.FLOAT32);
      flops.product(n, n, m);
      compute.frobeniusOfSymmetricPart(h, in.tangency);
    }

    private void retract() {
      Matrices y = in.g;
      compute.copy(u, y);
      double[] minusEta = new double[eta.length];
      double largest = 0;
      for (int k = 0; k < eta.length; k++) {
        minusEta[k] = -eta[k];
        largest = Math.max(largest, eta[k]);
      }
      compute.combineEach(minusEta, in.a, 1, y);
      if (in.direction.tangent()) {
        polar.ofStep(largest, y, in.a, spec.radius(), next, in.polarBuffers, flops);
      } else {
        Matrices sign = signOf(y);
        Matrices spare = sign.equals(y) ? in.a : y;
        polar.polish(sign, spare, spec.radius(), next, in.polarBuffers, flops);
      }
      compute.copyWhereZero(in.size, w, next);
      for (int k = 0; k < eta.length; k++) {
        if (eta[k] == 0) {
          compute.copy(w.matrix(k), next.matrix(k));
        }
      }
    }

    /** Returns y or in.a, never `next`: a product must not overwrite its operand. */
    private Matrices signOf(Matrices y) {
      compute.maxAbs(y, in.moved);
      compute.divide(y, in.moved, y);
      MatrixSign msign = new MatrixSign(compute, RETRACTION_STEPS, Precision.FLOAT32);
      return msign.general(
          y,
          new MatrixSign.Buffers(in.a, in.polarBuffers.t(), in.polarBuffers.d(), in.moved),
          flops);
    }

    private void finish(ReportDetail detail) {
      if (detail.compareTo(ReportDetail.RESIDUALS) >= 0) {
        stiefel.residual(next, in.polarBuffers.x(), in.orthogonality);
        flops.half(n, m);
      }
      compute.distance(next, w, in.moved);
    }

    private void report(ReportDetail detail, double[] values, List<MatrixReport> reports) {
      double[] objective = compute.read(in.objective);
      double[] scale = compute.read(in.scale);
      double[] tangency = compute.read(in.tangency);
      double[] orthogonality = compute.read(in.orthogonality);
      double[] moved = compute.read(in.moved);
      boolean residuals = detail.compareTo(ReportDetail.RESIDUALS) >= 0;
      for (int k = 0; k < eta.length; k++) {
        double unit = in.direction.scaleInvariant() ? scale[k] : 1;
        reports.add(
            new MatrixReport(
                unit * objective[k],
                values == null ? Double.NaN : unit * values[2 * k],
                values == null ? Double.NaN : unit * values[2 * k + 1],
                residuals ? tangency[k] / n : Double.NaN,
                residuals ? orthogonality[k] : Double.NaN,
                moved[k],
                effort.iterations(k),
                effort.flops(k)));
      }
    }
  }
}
