package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.PolarFactor;
import io.muond.server.manifold.Stiefel;

/**
 * Manifold Muon on a batch of Stiefel matrices: A = argmax ⟨G, A⟩ over ‖A‖ ≤ 1 in the tangent space
 * at W, then W ← r · polar(W/r − ηA). Wide weights are seen transposed. A batch is worked on in
 * parts, so that the workspace stays within bounds.
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
    Direction direction = direction(1);
    // The others' sizes are absolute, and may pass what float16 holds.
    polar =
        new PolarFactor(compute, direction.tangent() ? spec.rule().precision() : Precision.FLOAT32);
    scaleInvariant = direction.scaleInvariant();
    Carver forStep = Carver.counting(part);
    new StiefelStep.Intermediates(this, forStep, part);
    Carver forProjection = Carver.counting(1);
    new Projection(forProjection);
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

  @Override
  public int reportNumbers(ReportDetail detail) {
    return new Numbers(spec.count(), detail).total();
  }

  private Matrices view(Region region) {
    return BatchView.view(spec, transposed, region);
  }

  /** The solver for {@code count} matrices at a time. */
  Direction direction(int count) {
    Rule rule = spec.rule();
    StiefelDirection.Shape shape = new StiefelDirection.Shape(count, m, n, transposed);
    return switch (rule.solver()) {
      case EXACT -> new ExactDirection(compute, shape, rule);
      case PROJECTED -> new ProjectedDirection(compute, shape, rule);
      case DUAL_ASCENT -> new DualAscentDirection(compute, shape, rule);
      case ADMM -> new AdmmDirection(compute, shape, rule);
    };
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    for (int k = 0; k < spec.count(); k++) {
      Gaussian.fill(weights, k * spec.matrixFloats(), spec.matrixFloats(), seeds[k]);
    }
    projectAll(view(weights), view(weights), new Projection(new Carver(workspace, 1)));
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    Matrices source = view(from);
    Matrices target = view(to);
    Projection projection = new Projection(new Carver(workspace, 1));
    projectAll(source, target, projection);
    compute.distance(source, target, projection.distance);
    return compute.read(projection.distance);
  }

  private void projectAll(Matrices from, Matrices to, Projection in) {
    for (int k = 0; k < spec.count(); k++) {
      long seed = k;
      Runnable fill = () -> Gaussian.fill(in.region(), 0, in.random.matrixFloats(), seed);
      stiefel.project(from.matrix(k), in.random, fill, to.matrix(k), in.buffers);
    }
  }

  /** A projection's intermediates: one matrix at a time. */
  private final class Projection {
    final Stiefel.Buffers buffers;
    final Matrices random;
    final Scalars distance;

    Projection(Carver carver) {
      buffers = stiefel.carve(carver, m, n, transposed);
      random = carver.tall(m, n, transposed);
      distance = carver.scalars(spec.count());
    }

    Region region() {
      return new Region(random.memory(), random.offset(), random.matrixFloats());
    }
  }

  @Override
  public BatchStep step(StepInput input) {
    return new StiefelStep(this, input);
  }
}
