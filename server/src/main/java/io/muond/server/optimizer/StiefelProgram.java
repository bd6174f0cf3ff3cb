package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Precision;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.PolarFactor;
import io.muond.server.manifold.NormKind;
import io.muond.server.manifold.Stiefel;

/**
 * Manifold Muon on a batch of Stiefel matrices: A = argmax ⟨G, A⟩ over ‖A‖ ≤ 1 in the tangent space
 * at W, in the spectral or the Frobenius norm, then W ← r · polar(W/r − ηA). Wide weights are seen
 * transposed.
 */
final class StiefelProgram extends Program {
  final Stiefel stiefel;
  final Direction direction;
  final PolarFactor polar;

  StiefelProgram(Engine engine, BatchSpec spec, Points points) {
    super(engine, spec, points, Shape.tall(spec), Shape.tall(spec).floatsOrSquare());
    stiefel = new Stiefel(compute, spec.radius());
    direction = direction();
    // The others' sizes are absolute, and may pass what float16 holds; and a precision is of msign.
    boolean half = direction.tangent() && !inFrobeniusNorm();
    polar = new PolarFactor(compute, half ? spec.rule().precision() : Precision.FLOAT32);
  }

  private boolean inFrobeniusNorm() {
    return spec.norm() == NormKind.FROBENIUS;
  }

  private Direction direction() {
    Rule rule = spec.rule();
    if (inFrobeniusNorm()) {
      return new FrobeniusDirection(compute, shape);
    }
    return switch (rule.solver()) {
      case EXACT -> new ExactDirection(compute, shape, rule);
      case PROJECTED -> new ProjectedDirection(compute, shape, rule);
      case DUAL_ASCENT -> new DualAscentDirection(compute, shape, rule);
      case ADMM -> new AdmmDirection(compute, shape, rule);
    };
  }

  @Override
  boolean isOptimal() {
    return inFrobeniusNorm();
  }

  /** Whether steps read results as they go on, so that they cannot be recorded. */
  boolean looksAtResults() {
    return spec.rule().solver() == Solver.DUAL_ASCENT && !inFrobeniusNorm();
  }

  @Override
  int residuals() {
    return 2;
  }

  @Override
  StiefelStep.Intermediates carve(Carver carver) {
    return new StiefelStep.Intermediates(this, carver);
  }

  @Override
  public BatchStep step(StepInput input) {
    return new StiefelStep(this, input);
  }
}
