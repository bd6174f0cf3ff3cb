package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.MatrixSign;

/** What the solvers have in common: the shape of a batch, and msign as their rule has it. */
abstract class StiefelDirection implements Direction {
  final Compute compute;
  final Shape shape;
  final int m;
  final int n;
  final MatrixSign msign;
  private final Precision precision;

  /**
   * A batch of tall matrices.
   *
   * @param m rows, at least n
   * @param n columns
   * @param transposed how they are stored, see {@link Matrices#transposed}
   */
  record Shape(int count, int m, int n, boolean transposed) {
    /** Intermediates of this shape. */
    Matrices carve(Carver carver) {
      return carver.tall(m, n, transposed);
    }
  }

  StiefelDirection(Compute compute, Shape shape, Rule rule) {
    this.compute = compute;
    this.shape = shape;
    m = shape.m();
    n = shape.n();
    precision = rule.precision();
    msign = new MatrixSign(compute, rule.msignSteps(), precision);
  }

  /** msign's intermediates for matrices of this shape. */
  MatrixSign.Buffers forTall(Carver carver) {
    return MatrixSign.Buffers.carve(carver, precision, m, n, shape.transposed());
  }

  /** msign's intermediates for square matrices. */
  MatrixSign.Buffers forSquare(Carver carver, int order) {
    return MatrixSign.Buffers.carve(carver, precision, order, order, false);
  }
}
