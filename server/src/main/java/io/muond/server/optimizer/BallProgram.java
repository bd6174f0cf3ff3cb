package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.engine.Stopwatch;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.MatrixSign;
import io.muond.server.manifold.SpectralBall;
import java.util.ArrayList;
import java.util.List;

/**
 * Projected steepest descent in the spectral ball: A = msign(G), then W ← r · cap(W/r − ηA). Wide
 * weights are seen transposed. A batch is worked on in parts, so that the workspace stays within
 * bounds.
 */
final class BallProgram implements BatchProgram {
  private final Engine engine;
  private final Compute compute;
  private final BatchSpec spec;
  private final BallPoints points;
  private final boolean transposed;
  private final int m;
  private final int n;
  private final int part;
  private final MatrixSign msign;
  private final SpectralBall ball;

  BallProgram(Engine engine, BatchSpec spec) {
    this.engine = engine;
    this.compute = engine.compute();
    this.spec = spec;
    points = new BallPoints(compute, spec);
    transposed = spec.rows() < spec.columns();
    m = Math.toIntExact(Math.max(spec.rows(), spec.columns()));
    n = Math.toIntExact(Math.min(spec.rows(), spec.columns()));
    part = engine.batchFor(spec.count(), Math.max((long) m * n, 4L * n * n));
    msign = new MatrixSign(compute, spec.rule().msignSteps(), spec.rule().precision());
    ball = new SpectralBall(compute, spec.radius());
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
    return new Numbers(spec.count(), detail, 1).total();
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    points.initialize(seeds, weights, workspace);
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    return points.project(from, to, workspace);
  }

  /** The scaled gradient, later W/r − ηA, and what msign and the cap take. */
  private final class Intermediates {
    final Matrices g;
    final MatrixSign.Buffers sign;
    final SpectralBall.Buffers cap;
    final Scalars size;

    Intermediates(Carver carver) {
      g = carver.tall(m, n, transposed);
      sign = MatrixSign.Buffers.carve(carver, spec.rule().precision(), m, n, transposed);
      cap = ball.carve(carver, m, n, transposed);
      size = carver.scalars();
    }
  }

  @Override
  public BatchStep step(StepInput input) {
    return new Step(input);
  }

  private final class Step extends DirectStep {
    Step(StepInput input) {
      super(engine, spec, input, transposed, part, /* residuals= */ 1);
    }

    /**
     * @param levels of the cap, for each part
     */
    private record Recipe(ReportDetail detail, List<List<Double>> levels) {}

    @Override
    public Object recipe() {
      if (isOptimumAsked()) {
        return null;
      }
      List<List<Double>> levels = new ArrayList<>();
      for (int from = 0; from < spec.count(); from += part) {
        levels.add(levels(from, Math.min(part, spec.count() - from)));
      }
      return new Recipe(input.detail(), levels);
    }

    /** ‖W/r − ηA‖ ≤ 1 + η, but for msign's 1 %. */
    private List<Double> levels(int from, int count) {
      double largest = 0;
      for (int k = from; k < from + count; k++) {
        largest = Math.max(largest, input.learningRates().get(k));
      }
      return SpectralBall.levels(1 + largest);
    }

    @Override
    void enqueue(
        int from, int count, BatchView at, Numbers.Part out, Effort effort, Stopwatch watch) {
      Intermediates in = new Intermediates(new Carver(input.workspace(), count));
      Scalars eta = input.numbers().slice(from, count);
      Matrices a = direction(at, in, out, effort);
      if (isOptimumAsked()) {
        watch.stop();
        Optimum.ofFree(in.g, a, effort);
        watch.start();
      }
      Matrices x = in.g;
      compute.combine(1 / spec.radius(), at.w, 0, x);
      compute.combineEach(-1, eta, a, 1, x);
      ball.cap(levels(from, count), 1, x, at.next, in.cap, effort.each());
      compute.copyWhereZero(in.size, at.w, at.next);
      compute.copyWhereZero(eta, at.w, at.next);
      if (areResidualsAsked()) {
        ball.largestSquare(at.next, in.cap, out.orthogonality());
      }
      compute.distance(at.next, at.w, out.moved());
    }

    private Matrices direction(BatchView at, Intermediates in, Numbers.Part out, Effort effort) {
      Matrices taken = Momentum.apply(compute, spec.rule(), at.gradient, at.momentum, in.g);
      compute.maxAbs(taken, out.scale());
      compute.divide(taken, out.scale(), in.g);
      compute.copy(in.g, at.next);
      Matrices a = msign.general(at.next, in.sign, effort.each());
      effort.took(msign.steps());
      compute.dot(in.g, a, out.objective());
      compute.frobenius(a, in.size);
      return a;
    }

    @Override
    double unit(double[] values, int k) {
      return numbers.scale(values, k);
    }

    /** max(0, ‖W/r‖² − 1). */
    @Override
    double orthogonality(double[] values, int k) {
      return Math.max(0, numbers.orthogonality(values, k) - 1);
    }
  }
}
