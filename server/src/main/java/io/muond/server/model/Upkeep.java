package io.muond.server.model;

import io.muond.server.checkpoint.CheckpointException;
import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.checkpoint.CheckpointMeta;
import io.muond.server.checkpoint.CheckpointStore;
import io.muond.server.checkpoint.Retention;
import java.io.IOException;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Removes old checkpoints, and knows what there is to fall back to. What fails here makes the
 * newest checkpoint no less durable, so it is logged. Thread-safe.
 */
final class Upkeep {
  private static final Logger logger = LoggerFactory.getLogger(Upkeep.class);

  /** Found not to be what they were written as, or not to be the model's, since the start. */
  private final Set<String> damaged = ConcurrentHashMap.newKeySet();

  private final StepObserver observer;

  Upkeep(StepObserver observer) {
    this.observer = observer;
  }

  /** A checkpoint cannot be used. */
  void markDamaged(CheckpointInfo checkpoint) {
    if (damaged.add(key(checkpoint))) {
      observer.foundDamaged();
    }
  }

  boolean isDamaged(CheckpointInfo checkpoint) {
    return damaged.contains(key(checkpoint));
  }

  private static String key(CheckpointInfo checkpoint) {
    return checkpoint.model() + "/" + checkpoint.id();
  }

  /** {@code newest} was written anew. */
  void markIntact(CheckpointInfo newest) {
    damaged.remove(key(newest));
  }

  /**
   * Reads the one to fall back to, should {@code newest} be damaged: what is damaged is logged, and
   * noted.
   *
   * @param living newest first
   */
  void verifyAfter(CheckpointStore store, List<CheckpointInfo> living, CheckpointInfo newest)
      throws CheckpointException {
    int first = living.indexOf(newest) + 1;
    for (CheckpointInfo older : living.subList(first, living.size())) {
      if (store.isIntact(older.model(), older.id())) {
        return;
      }
      markDamaged(older);
    }
  }

  /**
   * Removes what need not stay.
   *
   * @param current the checkpoint that a restart goes back to
   * @param origin of its incarnation
   * @return what is durable then
   */
  Durable settle(
      CheckpointStore store, CheckpointInfo current, String origin, Retention retention) {
    OptionalLong fallback = OptionalLong.empty();
    try {
      prune(store, current, retention);
      fallback = fallback(store, store.living(current.model()), current, origin);
    } catch (CheckpointException e) {
      logger.warn(
          "model \"{}\": what is before its newest checkpoint is not known: {}",
          current.model(),
          e.getMessage());
    }
    return new Durable(current.step(), fallback);
  }

  private void prune(CheckpointStore store, CheckpointInfo current, Retention retention) {
    try {
      store.prune(current.model(), retention, current.id(), this::isDamaged);
    } catch (CheckpointException e) {
      logger.warn(
          "model \"{}\": old checkpoints were not removed: {}", current.model(), e.getMessage());
    }
  }

  /**
   * The step of the next intact checkpoint, if it is of the same origin.
   *
   * @param living newest first
   */
  OptionalLong fallback(
      CheckpointStore store, List<CheckpointInfo> living, CheckpointInfo current, String origin)
      throws CheckpointException {
    for (CheckpointInfo next : living) {
      if (!next.id().equals(current.id()) && !isDamaged(next)) {
        boolean same = next.step() <= current.step() && origin.equals(origin(store, next));
        return same ? OptionalLong.of(next.step()) : OptionalLong.empty();
      }
    }
    return OptionalLong.empty();
  }

  private static String origin(CheckpointStore store, CheckpointInfo checkpoint)
      throws CheckpointException {
    CheckpointMeta meta = store.meta(checkpoint.model(), checkpoint.id());
    try {
      return LedgerCodec.read(meta.ledger()).origin(meta.incarnation());
    } catch (IOException e) {
      throw store.corrupt(
          checkpoint.model(), checkpoint.id(), CheckpointStore.MANIFEST, "ledger: " + e, e);
    }
  }
}
