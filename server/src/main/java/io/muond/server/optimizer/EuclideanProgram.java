package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.engine.Stopwatch;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.MatrixSign;
import io.muond.server.manifold.NormKind;
import java.util.List;

/**
 * Steepest descent without a constraint: A = msign(G), G/‖G‖_F or sign(G), by the norm, then W ← (1
 * − ηλ)W − rηA. A batch is worked on in parts, so that the workspace stays within bounds.
 */
final class EuclideanProgram implements BatchProgram {
  private final Engine engine;
  private final Compute compute;
  private final BatchSpec spec;
  private final FlatPoints points;
  private final boolean transposed;
  private final int m;
  private final int n;
  private final int part;
  private final MatrixSign msign;

  EuclideanProgram(Engine engine, BatchSpec spec) {
    this.engine = engine;
    this.compute = engine.compute();
    this.spec = spec;
    points = new FlatPoints(compute, spec);
    boolean tall = spec.rows() >= spec.columns();
    transposed = spec.norm() == NormKind.SPECTRAL && !tall;
    m = Math.toIntExact(transposed ? spec.columns() : spec.rows());
    n = Math.toIntExact(transposed ? spec.rows() : spec.columns());
    part = engine.batchFor(spec.count(), spec.matrixFloats());
    msign = new MatrixSign(compute, spec.rule().msignSteps(), spec.rule().precision());
  }

  @Override
  public BatchSpec spec() {
    return spec;
  }

  @Override
  public long workspaceFloats() {
    Carver forStep = Carver.counting(part);
    new Intermediates(forStep);
    return forStep.used();
  }

  @Override
  public int reportNumbers(ReportDetail detail) {
    return new Numbers(spec.count(), detail, 0).total();
  }

  @Override
  public int inputNumbers() {
    return Descent.numbers(spec);
  }

  @Override
  public double[] inputs(List<Double> learningRates, long age) {
    return Descent.inputs(spec, learningRates);
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    points.initialize(seeds, weights, workspace);
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    return points.project(from, to, workspace);
  }

  /** The scaled gradient and what msign takes, or the look-ahead, if there are any. */
  private final class Intermediates {
    final Matrices g;
    final MatrixSign.Buffers sign;

    Intermediates(Carver carver) {
      boolean ahead = spec.hasMomentum() && spec.rule().nesterov();
      boolean spectral = spec.norm() == NormKind.SPECTRAL;
      g = spectral || ahead ? carver.tall(m, n, transposed) : null;
      sign =
          spectral
              ? MatrixSign.Buffers.carve(carver, spec.rule().precision(), m, n, transposed)
              : null;
    }
  }

  @Override
  public BatchStep step(StepInput input) {
    return new Step(input);
  }

  private final class Step extends DirectStep {
    Step(StepInput input) {
      super(engine, spec, input, transposed, part, /* residuals= */ 0);
    }

    @Override
    public Object recipe() {
      return isOptimumAsked() && spec.norm() == NormKind.SPECTRAL ? null : super.recipe();
    }

    @Override
    void enqueue(
        int from, int count, BatchView at, Numbers.Part out, Effort effort, Stopwatch watch) {
      Intermediates in = new Intermediates(new Carver(input.workspace(), count));
      Matrices taken = Momentum.apply(compute, spec.rule(), at.gradient, at.momentum, in.g);
      compute.maxAbs(taken, out.scale());
      Matrices a =
          switch (spec.norm()) {
            case SPECTRAL -> sign(taken, at, in, out, effort);
            case FROBENIUS -> normalized(taken, at.next, out);
            default -> signs(taken, at.next, out.objective());
          };
      if (spec.norm() == NormKind.SPECTRAL && isOptimumAsked()) {
        watch.stop();
        Optimum.ofFree(in.g, a, effort);
        watch.start();
      }
      Descent.apply(compute, input.numbers(), spec, from, at, a);
      compute.distance(at.next, at.w, out.moved());
    }

    private Matrices sign(
        Matrices taken, BatchView at, Intermediates in, Numbers.Part out, Effort effort) {
      compute.divide(taken, out.scale(), in.g);
      compute.copy(in.g, at.next);
      Matrices a = msign.general(at.next, in.sign, effort.each());
      effort.took(msign.steps());
      compute.dot(in.g, a, out.objective());
      return a;
    }

    private Matrices normalized(Matrices taken, Matrices a, Numbers.Part out) {
      compute.divide(taken, out.scale(), a);
      compute.frobenius(a, out.objective());
      compute.divide(a, out.objective(), a);
      return a;
    }

    private Matrices signs(Matrices taken, Matrices a, Scalars objective) {
      compute.signs(taken, a);
      compute.dot(taken, a, objective);
      return a;
    }

    @Override
    double unit(double[] values, int k) {
      return spec.norm() == NormKind.LARGEST_ENTRY ? 1 : numbers.scale(values, k);
    }
  }
}
