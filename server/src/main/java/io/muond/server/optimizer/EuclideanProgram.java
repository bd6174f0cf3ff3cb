package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.manifold.NormKind;
import java.util.List;

/**
 * Steepest descent without a constraint: A = msign(G), G/‖G‖_F or sign(G), by the norm, then W ← (1
 * − ηλ)W − rηA.
 */
final class EuclideanProgram extends Program {
  private final FreeDirection direction;

  EuclideanProgram(Engine engine, BatchSpec spec, Points points) {
    super(engine, spec, points, shape(spec), spec.matrixFloats());
    direction = new FreeDirection(compute, shape, spec.rule());
  }

  private static Shape shape(BatchSpec spec) {
    return isSpectral(spec) ? Shape.tall(spec) : Shape.asStored(spec);
  }

  private static boolean isSpectral(BatchSpec spec) {
    return spec.norm() == NormKind.SPECTRAL;
  }

  @Override
  boolean isOptimal() {
    return !isSpectral(spec);
  }

  @Override
  public int inputNumbers() {
    return Descent.numbers(spec);
  }

  @Override
  public double[] inputs(List<Double> learningRates, long age) {
    return Descent.inputs(spec, learningRates);
  }

  /** What msign takes, the scaled gradient among it, or the look-ahead, if there are any. */
  private record Intermediates(FreeDirection.Buffers spectral, Matrices ahead) {}

  @Override
  Intermediates carve(Carver carver) {
    if (isSpectral(spec)) {
      FreeDirection.Buffers spectral = direction.carve(carver);
      return new Intermediates(spectral, spectral.g());
    }
    return new Intermediates(null, looksAhead() ? shape.carve(carver) : null);
  }

  @Override
  public BatchStep step(StepInput input) {
    return new Step(input);
  }

  private final class Step extends PartwiseStep {
    Step(StepInput input) {
      super(EuclideanProgram.this, input);
    }

    @Override
    void enqueue(Part part) {
      Intermediates in = carve(part.room());
      BatchView at = part.at();
      Matrices taken = taken(part, in.ahead());
      Matrices a =
          switch (spec.norm()) {
            case SPECTRAL -> direction.solve(taken, part, in.spectral());
            case FROBENIUS -> normalized(taken, at.next, part.out());
            default -> signs(taken, at.next, part.out().objective());
          };
      measureOptimum(part, () -> Optimum.ofFree(in.spectral().g(), a, part.effort()));
      Descent.apply(compute, input.numbers(), spec, part.from(), at, a);
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
