package io.muond.client;

import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The last committed steps of one writer, so that those which a crash undoes can be sent again, up
 * to a number of bytes. Steps follow each other without gaps.
 *
 * <p>A step that two checkpoints hold is dropped. One that only the newest holds is kept too, since
 * that may turn out to be damaged, but gives way where there is no room. Thread-safe.
 */
final class ReplayLog {
  private final long limit;
  private final ArrayDeque<KeptStep> steps = new ArrayDeque<>();
  private long bytes;
  private long durable = -1;
  private Map<String, CopiedTensor> used = Map.of();

  /** With room for {@code limit} bytes of gradients. */
  ReplayLog(long limit) {
    if (limit < 1) {
      throw new IllegalArgumentException("limit: " + limit + " bytes (expected: >= 1)");
    }
    this.limit = limit;
  }

  long limit() {
    return limit;
  }

  /** What the kept steps take. */
  synchronized long bytes() {
    return bytes;
  }

  /**
   * Makes room for a step of that many bytes, dropping durable steps if need be.
   *
   * @return false if the steps that are not durable leave too little
   */
  synchronized boolean makeRoom(long needed) {
    while (bytes + needed > limit && !steps.isEmpty() && steps.getFirst().number() <= durable) {
      dropFirst();
    }
    if (KeptStep.bytes(used) != needed && bytes + KeptStep.bytes(used) + needed > limit) {
      used = Map.of();
    }
    return bytes + needed <= limit;
  }

  /** Memory for a copy: of tensors that are needed no longer, by name. To be used by one. */
  synchronized Map<String, CopiedTensor> takeUsed() {
    Map<String, CopiedTensor> taken = used;
    used = Map.of();
    return taken;
  }

  /** Keeps a step; those before it, should there be others between. */
  synchronized void add(KeptStep step) {
    if (!steps.isEmpty() && steps.getLast().number() != step.number() - 1) {
      clear();
    }
    steps.addLast(step);
    bytes += step.bytes();
  }

  /** The newest checkpoint holds this step. */
  synchronized void saved(long step) {
    durable = step;
  }

  /**
   * The server has told what a crash cannot undo.
   *
   * @param durableStep as long as the newest checkpoint is intact
   * @param fallbackStep should it be damaged; empty if no more than that checkpoint is there
   */
  synchronized void saved(OptionalLong durableStep, OptionalLong fallbackStep) {
    durable = durableStep.orElse(-1);
    long held = fallbackStep.orElse(durable);
    while (!steps.isEmpty() && steps.getFirst().number() <= held) {
      dropFirst();
    }
  }

  /** The last step that was told to be durable, if any was. */
  synchronized OptionalLong durableStep() {
    return durable < 0 ? OptionalLong.empty() : OptionalLong.of(durable);
  }

  /** The steps from {@code first} to {@code last}, in order; empty if not all of them are kept. */
  synchronized Optional<List<KeptStep>> between(long first, long last) {
    List<KeptStep> found =
        steps.stream().filter(s -> s.number() >= first && s.number() <= last).toList();
    return found.size() == Math.max(0, last - first + 1) ? Optional.of(found) : Optional.empty();
  }

  /** Drops everything: the model's weights are others now. */
  synchronized void clear() {
    steps.clear();
    bytes = 0;
  }

  private void dropFirst() {
    KeptStep dropped = steps.removeFirst();
    bytes -= dropped.bytes();
    used = dropped.gradients();
  }
}
