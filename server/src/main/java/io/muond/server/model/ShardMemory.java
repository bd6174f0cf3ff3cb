package io.muond.server.model;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import io.muond.server.optimizer.StepBuffers;
import io.muond.v1.MemoryUse;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A shard's device memory: one allocation, in it for each batch two buffers of weights, momentum if
 * it has any, two second moments if it has any, and a gradient slot for each worker, or a single
 * one, for uploads, where no gradients come. One of the two weight buffers holds the committed
 * weights, the other, the spare one, takes the next; so do the second moments. A commit exchanges
 * them, and momentum with the first gradient slot. Where steps overlap there are as many gradient
 * slots again, for the step that comes after the one that computes.
 *
 * <p>Not synchronised: the model's lock orders its use.
 */
final class ShardMemory implements AutoCloseable {
  private final Layout layout;
  private final Memory memory;
  private final int workers;
  private final int slots;
  private final List<Buffers> batches = new ArrayList<>();
  private int committed;

  private static final class Buffers {
    private final Region[] weights = new Region[2];
    private final Region[] gradients;
    private final Region[] secondMoments = new Region[2];
    private Region momentum;

    private Buffers(int slots) {
      gradients = new Region[slots];
    }
  }

  /**
   * @param workers that have a gradient slot each
   * @param steps that have their own slots, 1 or 2
   */
  ShardMemory(Engine engine, String owner, Layout layout, int workers, int steps) {
    this.layout = layout;
    this.workers = workers;
    this.slots = workers * steps;
    this.memory = engine.allocate(owner, floats(layout, slots));
    long offset = 0;
    for (Batch batch : layout.batches()) {
      int own = layout.slots(batch, slots);
      Buffers buffers = new Buffers(slots);
      long size = batch.spec().floats();
      for (int i = 0; i < 2; i++, offset += size) {
        buffers.weights[i] = new Region(memory, offset, size);
      }
      for (int i = 0; i < own; i++, offset += size) {
        buffers.gradients[i] = new Region(memory, offset, size);
      }
      Arrays.fill(buffers.gradients, own, slots, buffers.gradients[0]);
      if (batch.spec().hasMomentum()) {
        buffers.momentum = new Region(memory, offset, size);
        offset += size;
      }
      for (int i = 0; i < 2 && batch.spec().hasSecondMoment(); i++, offset += size) {
        buffers.secondMoments[i] = new Region(memory, offset, size);
      }
      batches.add(buffers);
    }
  }

  /** Elements that a shard of this layout needs. */
  static long floats(Layout layout, int slots) {
    long moments = Math.addExact(layout.momentumFloats(), 2 * layout.secondMomentFloats());
    long weights = Math.multiplyExact(2, layout.floats());
    return Math.addExact(Math.addExact(weights, layout.gradientFloats(slots)), moments);
  }

  /** What its elements take, in bytes. */
  MemoryUse use() {
    long weights = 2L * Float.BYTES * layout.floats();
    long momentum = (long) Float.BYTES * layout.momentumFloats();
    long secondMoments = 2L * Float.BYTES * layout.secondMomentFloats();
    long gradients = Float.BYTES * layout.gradientFloats(slots);
    return MemoryUse.newBuilder()
        .setWeightBytes(weights)
        .setMomentumBytes(momentum)
        .setGradientBytes(gradients)
        .setSecondMomentBytes(secondMoments)
        .setTotalBytes(weights + momentum + secondMoments + gradients)
        .build();
  }

  /** All its elements. */
  long floats() {
    return memory.floats();
  }

  /** Which of the two buffers of weights, and of second moments, is committed. */
  int committedBuffer() {
    return committed;
  }

  /** A piece's weights in buffer 0 or 1. */
  Region weights(Piece piece, int buffer) {
    return slice(piece, batch(piece).weights[buffer]);
  }

  /** A piece's gradient slot. */
  Region gradient(Piece piece, int slot) {
    return slice(piece, batch(piece).gradients[slot]);
  }

  /** A piece's gradient slot for the step after the next one. */
  Region gradientAhead(Piece piece, int slot) {
    return slice(piece, batch(piece).gradients[workers + slot]);
  }

  /** A piece's momentum; null without. */
  Region momentum(Piece piece) {
    return slice(piece, batch(piece).momentum);
  }

  /** A piece's second moment in buffer 0 or 1; null without. */
  Region secondMoment(Piece piece, int buffer) {
    return slice(piece, batch(piece).secondMoments[buffer]);
  }

  /** The buffers of one step of a batch. */
  StepBuffers stepBuffers(int batch) {
    Buffers b = batches.get(batch);
    return new StepBuffers(
        b.weights[committed],
        b.weights[1 - committed],
        b.gradients[0],
        b.momentum,
        b.secondMoments[committed],
        b.secondMoments[1 - committed]);
  }

  /** The spare second moment of a batch; null without. */
  Region spareSecondMoment(int batch) {
    return batches.get(batch).secondMoments[1 - committed];
  }

  /** The spare weights of a batch. */
  Region spareWeights(int batch) {
    return batches.get(batch).weights[1 - committed];
  }

  /** A batch's gradient slot. */
  Region gradientSlot(int batch, int slot) {
    return batches.get(batch).gradients[slot];
  }

  /** The spare buffers become the committed ones, the first gradient slot the momentum. */
  void commit() {
    committed = 1 - committed;
    for (Buffers b : batches) {
      if (b.momentum != null) {
        Region old = b.momentum;
        b.momentum = b.gradients[0];
        b.gradients[0] = old;
      }
    }
  }

  /** The gradients of the step after the next one are those of the next one from now on. */
  void advance() {
    for (Buffers b : batches) {
      for (int slot = 0; slot < workers; slot++) {
        Region old = b.gradients[slot];
        b.gradients[slot] = b.gradients[workers + slot];
        b.gradients[workers + slot] = old;
      }
    }
  }

  private Buffers batch(Piece piece) {
    return batches.get(layout.places().get(piece.index()).batch());
  }

  private Region slice(Piece piece, Region batch) {
    return batch == null
        ? null
        : batch.slice(layout.places().get(piece.index()).offset(), piece.floats());
  }

  @Override
  public void close() {
    memory.close();
  }
}
