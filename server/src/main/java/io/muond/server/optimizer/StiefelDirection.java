package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.MatrixSign;

/** What the solvers that take msign have in common: it, as their rule has it, and the shape. */
abstract class StiefelDirection implements Direction {
  final Compute compute;
  final Shape shape;
  final int m;
  final int n;
  final MatrixSign msign;

  StiefelDirection(Compute compute, Shape shape, Rule rule) {
    this.compute = compute;
    this.shape = shape;
    m = shape.m();
    n = shape.n();
    msign = new MatrixSign(compute, rule.msignSteps(), rule.precision());
  }

  /** msign's intermediates for matrices of this shape. */
  MatrixSign.Buffers forTall(Carver carver) {
    return msign.carve(carver, m, n, shape.transposed());
  }

  /** msign's intermediates for square matrices. */
  MatrixSign.Buffers forSquare(Carver carver, int order) {
    return msign.carve(carver, order, order, false);
  }
}
