package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.MatrixSign;

/** The direction without a constraint, in the spectral norm: A = msign(G). */
final class FreeDirection {
  private final Compute compute;
  private final Shape shape;
  private final MatrixSign msign;

  FreeDirection(Compute compute, Shape shape, Rule rule) {
    this.compute = compute;
    this.shape = shape;
    msign = new MatrixSign(compute, rule.msignSteps(), rule.precision());
  }

  /**
   * Intermediates.
   *
   * @param g the gradient divided by its largest element
   */
  record Buffers(Matrices g, MatrixSign.Buffers sign) {}

  Buffers carve(Carver carver) {
    Matrices g = shape.carve(carver);
    return new Buffers(g, msign.carve(carver, shape.m(), shape.n(), shape.transposed()));
  }

  /**
   * The direction and its objective ⟨g, A⟩.
   *
   * @param taken what the step takes for G, may be the buffers' g
   * @return where A is: in the part's new weights or in the buffers, but not in their g
   */
  Matrices solve(Matrices taken, Part part, Buffers in) {
    Scalars scale = part.out().scale();
    compute.divide(taken, scale, in.g());
    Matrices next = part.at().next;
    compute.copy(in.g(), next);
    Matrices a = msign.general(next, in.sign(), part.effort().each());
    part.effort().took(msign.steps());
    compute.dot(in.g(), a, part.out().objective());
    return a;
  }
}
