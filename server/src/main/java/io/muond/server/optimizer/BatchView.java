package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;

/** A batch's buffers as matrices, all of them or some. */
final class BatchView {
  private final BatchSpec spec;
  private final boolean transposed;
  final Matrices w;
  final Matrices next;
  final Matrices gradient;

  /** Null without momentum. */
  final Matrices momentum;

  /**
   * @param transposed whether the matrices are seen so
   */
  BatchView(BatchSpec spec, boolean transposed, StepBuffers buffers) {
    this.spec = spec;
    this.transposed = transposed;
    w = view(spec, transposed, buffers.weights());
    next = view(spec, transposed, buffers.next());
    gradient = view(spec, transposed, buffers.gradient());
    momentum = buffers.momentum() == null ? null : view(spec, transposed, buffers.momentum());
  }

  private BatchView(BatchView all, int from, int count) {
    spec = all.spec;
    transposed = all.transposed;
    w = all.w.matrices(from, count);
    next = all.next.matrices(from, count);
    gradient = all.gradient.matrices(from, count);
    momentum = all.momentum == null ? null : all.momentum.matrices(from, count);
  }

  /** Matrices [from, from + count). */
  BatchView part(int from, int count) {
    return new BatchView(this, from, count);
  }

  /** All matrices of a batch. */
  static Matrices view(BatchSpec spec, boolean transposed, Region region) {
    Matrices stored =
        Matrices.packed(
            region, spec.count(), Math.toIntExact(spec.rows()), Math.toIntExact(spec.columns()));
    return transposed ? stored.transpose() : stored;
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
