package io.muond.server.optimizer;

import static java.util.Objects.requireNonNull;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import java.util.List;

/** Manifold Muon on an engine. */
public final class MuonOptimizer implements Optimizer {
  /** A dimension is an int. */
  private static final long LONGEST_ROW = 1L << 30;

  private final Engine engine;

  public MuonOptimizer(Engine engine) {
    this.engine = requireNonNull(engine, "engine is null");
  }

  @Override
  public BatchProgram program(BatchSpec spec) {
    if (!engine.supports(spec.rule().precision())) {
      throw new IllegalArgumentException(
          "precision: "
              + spec.rule().precision()
              + " (expected: one that the "
              + engine.kind()
              + " engine has, such as FLOAT32)");
    }
    if (spec.rows() > Integer.MAX_VALUE || spec.columns() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "shape: "
              + spec.rows()
              + " x "
              + spec.columns()
              + " (expected: fewer than 2^31 rows and columns)");
    }
    requirePair(spec);
    Points points = points(spec);
    if (spec.rule().frozen()) {
      return new FrozenProgram(engine, spec, points);
    }
    return switch (spec.manifold()) {
      case STIEFEL -> new StiefelProgram(engine, spec, points);
      case OBLIQUE, CENTERED_OBLIQUE -> new ObliqueProgram(engine, spec, points);
      case SPECTRAL_BALL -> new BallProgram(engine, spec, points);
      case EUCLIDEAN ->
          spec.norm() == NormKind.ADAMW
              ? new AdamWProgram(engine, spec, points)
              : new EuclideanProgram(engine, spec, points);
    };
  }

  private static void requirePair(BatchSpec spec) {
    List<NormKind> norms =
        switch (spec.manifold()) {
          case STIEFEL -> List.of(NormKind.SPECTRAL, NormKind.FROBENIUS);
          case OBLIQUE, CENTERED_OBLIQUE -> List.of(NormKind.LARGEST_ROW);
          case SPECTRAL_BALL -> List.of(NormKind.SPECTRAL);
          case EUCLIDEAN ->
              List.of(
                  NormKind.SPECTRAL, NormKind.FROBENIUS, NormKind.LARGEST_ENTRY, NormKind.ADAMW);
        };
    if (!norms.contains(spec.norm())) {
      throw new IllegalArgumentException(
          "norm: " + spec.norm() + " on " + spec.manifold() + " (expected: one of " + norms + ")");
    }
    if (spec.manifold() == ManifoldKind.CENTERED_OBLIQUE && spec.columns() < 2) {
      throw new IllegalArgumentException(
          "columns: " + spec.columns() + " on CENTERED_OBLIQUE (expected: at least 2)");
    }
  }

  private Points points(BatchSpec spec) {
    Compute compute = engine.compute();
    return switch (spec.manifold()) {
      case STIEFEL -> new StiefelPoints(compute, spec);
      case OBLIQUE, CENTERED_OBLIQUE -> new RowPoints(compute, spec);
      case SPECTRAL_BALL -> new BallPoints(compute, spec);
      case EUCLIDEAN -> new FlatPoints(compute, spec);
    };
  }

  @Override
  public double cost(BatchSpec spec) {
    return StepCost.of(spec);
  }

  @Override
  public void sum(List<Region> regions, double[] weights) {
    long floats = regions.get(0).floats();
    for (long from = 0; from < floats; from += LONGEST_ROW) {
      long length = Math.min(LONGEST_ROW, floats - from);
      Matrices total = row(regions.get(0).slice(from, length));
      if (weights[0] != 1) {
        engine.compute().combine(weights[0], total, 0, total);
      }
      for (int i = 1; i < weights.length; i++) {
        Matrices term = row(regions.get(i).slice(from, length));
        engine.compute().combine(weights[i], term, 1, total);
      }
    }
  }

  private static Matrices row(Region region) {
    return Matrices.packed(region, 1, 1, Math.toIntExact(region.floats()));
  }
}
