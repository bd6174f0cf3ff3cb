package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.manifold.SpectralBall;
import java.util.List;

/**
 * Projected steepest descent in the spectral ball: A = msign(G), then W ← r · cap(W/r − ηA). Wide
 * weights are seen transposed.
 */
final class BallProgram extends Program {
  private final FreeDirection direction;
  private final SpectralBall ball;

  BallProgram(Engine engine, BatchSpec spec, Points points) {
    super(engine, spec, points, Shape.tall(spec), Shape.tall(spec).floatsOrSquare());
    direction = new FreeDirection(compute, shape, spec.rule());
    ball = new SpectralBall(compute, spec.radius());
  }

  @Override
  boolean isOptimal() {
    return false;
  }

  @Override
  int residuals() {
    return 1;
  }

  /** What msign takes, the scaled gradient among it, and what the cap takes. */
  private record Intermediates(
      FreeDirection.Buffers direction, SpectralBall.Buffers cap, Scalars size) {}

  @Override
  Intermediates carve(Carver carver) {
    return new Intermediates(
        direction.carve(carver),
        ball.carve(carver, shape.m(), shape.n(), shape.transposed()),
        carver.scalars());
  }

  @Override
  public BatchStep step(StepInput input) {
    return new Step(input);
  }

  /** ‖W/r − ηA‖ ≤ 1 + η, but for msign's 1 %. */
  private static List<Double> levels(double eta) {
    return SpectralBall.levels(1 + eta);
  }

  private final class Step extends PartwiseStep {
    Step(StepInput input) {
      super(BallProgram.this, input);
    }

    @Override
    public Object recipe() {
      return recipe(BallProgram::levels);
    }

    @Override
    void enqueue(Part part) {
      Intermediates in = carve(part.room());
      BatchView at = part.at();
      Matrices g = in.direction().g();
      Matrices a = direction.solve(taken(part, g), part, in.direction());
      compute.frobenius(a, in.size());
      measureOptimum(part, () -> Optimum.ofFree(g, a, part.effort()));
      Matrices x = g;
      compute.combine(1 / spec.radius(), at.w, 0, x);
      compute.combineEach(-1, eta(part), a, 1, x);
      List<Double> levels = levels(largestRate(part.from()));
      ball.cap(levels, 1, x, at.next, in.cap(), part.effort().each());
      compute.copyWhereZero(in.size(), at.w, at.next);
      compute.copyWhereZero(eta(part), at.w, at.next);
      if (numbers.areResidualsAsked()) {
        ball.largestSquare(at.next, in.cap(), part.out().orthogonality());
      }
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
