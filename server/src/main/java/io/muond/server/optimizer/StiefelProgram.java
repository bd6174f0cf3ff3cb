package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Region;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.PolarFactor;
import io.muond.server.manifold.NormKind;
import io.muond.server.manifold.Stiefel;

/**
 * Manifold Muon on a batch of Stiefel matrices: A = argmax ⟨G, A⟩ over ‖A‖ ≤ 1 in the tangent space
 * at W, in the spectral or the Frobenius norm, then W ← r · polar(W/r − ηA). Wide weights are seen
 * transposed. A batch is worked on in parts, so that the workspace stays within bounds.
 */
final class StiefelProgram implements BatchProgram {
  final Engine engine;
  final Compute compute;
  final BatchSpec spec;
  final boolean transposed;

  /** Rows and columns as the mathematics sees them, m ≥ n. */
  final int m;

  final int n;

  /** How many matrices are worked on at a time. */
  final int part;

  final Stiefel stiefel;
  final PolarFactor polar;

  /** Whether the solver sees the gradient divided by its largest element. */
  final boolean scaleInvariant;

  private final StiefelPoints points;
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
    points = new StiefelPoints(compute, spec);
    Direction direction = direction(1);
    // The others' sizes are absolute, and may pass what float16 holds; and a precision is of msign.
    boolean half = direction.tangent() && !inFrobeniusNorm();
    polar = new PolarFactor(compute, half ? spec.rule().precision() : Precision.FLOAT32);
    scaleInvariant = direction.scaleInvariant();
    Carver forStep = Carver.counting(part);
    new StiefelStep.Intermediates(this, forStep, part);
    workspaceFloats = Math.max(forStep.used(), points.workspaceFloats());
  }

  @Override
  public BatchSpec spec() {
    return spec;
  }

  @Override
  public long workspaceFloats() {
    return workspaceFloats;
  }

  @Override
  public int reportNumbers(ReportDetail detail) {
    return new Numbers(spec.count(), detail).total();
  }

  boolean inFrobeniusNorm() {
    return spec.norm() == NormKind.FROBENIUS;
  }

  /** The solver for {@code count} matrices at a time. */
  Direction direction(int count) {
    Rule rule = spec.rule();
    StiefelDirection.Shape shape = new StiefelDirection.Shape(count, m, n, transposed);
    if (inFrobeniusNorm()) {
      return new FrobeniusDirection(compute, shape, rule);
    }
    return switch (rule.solver()) {
      case EXACT -> new ExactDirection(compute, shape, rule);
      case PROJECTED -> new ProjectedDirection(compute, shape, rule);
      case DUAL_ASCENT -> new DualAscentDirection(compute, shape, rule);
      case ADMM -> new AdmmDirection(compute, shape, rule);
    };
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    points.initialize(seeds, weights, workspace);
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    return points.project(from, to, workspace);
  }

  @Override
  public BatchStep step(StepInput input) {
    return new StiefelStep(this, input);
  }
}
