package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;

/** A batch's buffers as matrices, all of them or some. */
final class BatchView {
  private final BatchSpec spec;
  final Matrices w;
  final Matrices next;
  final Matrices gradient;

  /** Null without momentum. */
  final Matrices momentum;

  /**
   * @param shape in which the matrices are seen
   */
  BatchView(BatchSpec spec, Shape shape, StepBuffers buffers) {
    this.spec = spec;
    int count = spec.count();
    w = shape.view(buffers.weights(), count);
    next = shape.view(buffers.next(), count);
    gradient = shape.view(buffers.gradient(), count);
    momentum = buffers.momentum() == null ? null : shape.view(buffers.momentum(), count);
  }

  private BatchView(BatchView all, int from, int count) {
    spec = all.spec;
    w = all.w.matrices(from, count);
    next = all.next.matrices(from, count);
    gradient = all.gradient.matrices(from, count);
    momentum = all.momentum == null ? null : all.momentum.matrices(from, count);
  }

  /** Matrices [from, from + count). */
  BatchView part(int from, int count) {
    return new BatchView(this, from, count);
  }

  /**
   * The refusal of a matrix of which the step found the largest element not to be finite. The new
   * weights are of no use then: they hold the look-ahead while it is searched.
   */
  NotFiniteException notFinite(Engine engine, int k) {
    Matrices taken = Momentum.again(engine.compute(), spec.rule(), gradient, momentum, next);
    return NonFinite.find(taken.matrix(k), k);
  }
}
