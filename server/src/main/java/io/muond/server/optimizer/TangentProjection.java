package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.linalg.AccurateProducts;
import io.muond.server.linalg.AccurateProducts.Operand;
import io.muond.server.linalg.AccurateProducts.Room;
import io.muond.server.linalg.Carver;
import io.muond.server.linalg.Flops;

/** The projection onto the tangent space at U: P(X) = X − U sym(UᵀX). */
final class TangentProjection {
  private final Compute compute;
  private final Shape shape;
  private final AccurateProducts accurate;

  /**
   * @param precision of msign
   */
  TangentProjection(Compute compute, Shape shape, Precision precision) {
    this.compute = compute;
    this.shape = shape;
    accurate = new AccurateProducts(compute, precision);
  }

  /**
   * Intermediates.
   *
   * @param s n × n, free between the calls
   */
  record Buffers(Matrices s, Room forU, Room forX, Room forS) {}

  Buffers carve(Carver carver) {
    int n = shape.n();
    return new Buffers(
        carver.matrices(n, n), room(carver), room(carver), accurate.room(carver, n, n, false));
  }

  private Room room(Carver carver) {
    return accurate.room(carver, shape.m(), shape.n(), shape.transposed());
  }

  /** s ← UᵀX. */
  void inner(Operand u, Matrices x, Buffers in, Flops flops) {
    accurate.product(1, u, true, accurate.operand(x, in.forX()), false, 0, in.s());
    flops.product(shape.n(), shape.n(), shape.m());
  }

  /** x ← P(x). */
  void project(Operand u, Matrices x, Buffers in, Flops flops) {
    inner(u, x, in, flops);
    Matrices s = in.s();
    compute.symmetrize(s, s);
    accurate.product(-1, u, false, accurate.operand(s, in.forS()), false, 1, x);
    flops.product(shape.m(), shape.n(), shape.n());
  }
}
