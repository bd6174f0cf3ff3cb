package io.muond.server.model;

import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.checkpoint.CheckpointMeta;
import io.muond.server.model.StepLedger.Point;
import io.muond.v1.CreateModelRequest;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Writes one model's checkpoints, by request and by itself. What it writes by itself it writes
 * before the change is in force, so that a change which cannot be saved never was. All methods are
 * to be called exclusively.
 */
final class ModelSaver {
  private final Model model;
  private final ModelStore store;

  ModelSaver(Model model, ModelStore store) {
    this.model = model;
    this.store = store;
  }

  /** Writes a checkpoint by request. */
  CompletableFuture<CheckpointInfo> save() {
    store.require();
    return save(false);
  }

  /** Writes the first checkpoint of a model that has them written. */
  CompletableFuture<Void> saveFirst() {
    return isAutomatic()
        ? save(true).thenApply(info -> null)
        : CompletableFuture.completedFuture(null);
  }

  private CompletableFuture<CheckpointInfo> save(boolean automatic) {
    ModelState state = model.state();
    CheckpointMeta meta;
    synchronized (state) {
      state.requireReady(model.name());
      meta = meta(state.ledger().now(), state.workers(), automatic);
    }
    return store
        .save(model, meta)
        .thenApply(
            info -> {
              synchronized (state) {
                state.ledger().saved();
              }
              return info;
            });
  }

  /**
   * The step in the spare buffers leads to {@code next}: writes a checkpoint of that, if it is due.
   *
   * @return whether there is one
   */
  CompletableFuture<Boolean> saveStep(Point next) {
    return isAutomatic() && next.step() % model.spec().everySteps() == 0
        ? saveSpare(next)
        : CompletableFuture.completedFuture(false);
  }

  /**
   * The weights in the spare buffers lead to {@code next}: writes a checkpoint of that, if the
   * model has them written.
   *
   * @return whether there is one
   */
  CompletableFuture<Boolean> saveRewritten(Point next) {
    return isAutomatic() ? saveSpare(next) : CompletableFuture.completedFuture(false);
  }

  /**
   * The checkpoint in the spare buffers, {@code info}, leads to {@code next}: makes sure that a
   * restart goes back to that, with this model's settings. The checkpoint's may have been others,
   * since only its parameters must be the same.
   */
  CompletableFuture<Void> saveRestored(Point next, CheckpointInfo info) {
    return isAutomatic() && !next.incarnation().equals(info.incarnation())
        ? saveSpare(next).thenApply(saved -> null)
        : store.renew(info, spareMeta(next));
  }

  private CompletableFuture<Boolean> saveSpare(Point next) {
    return store.saveSpare(model, spareMeta(next)).thenApply(saved -> true);
  }

  private CheckpointMeta spareMeta(Point next) {
    synchronized (model.state()) {
      return meta(next, model.state().workers(), true);
    }
  }

  /**
   * Writes a checkpoint of the model with other workers, if it has them written.
   *
   * @return whether there is one
   */
  CompletableFuture<Boolean> saveWorkers(WorkerSet workers) {
    CheckpointMeta meta;
    synchronized (model.state()) {
      if (!isAutomatic() || !model.state().isReady()) {
        return CompletableFuture.completedFuture(false);
      }
      meta = meta(model.state().ledger().now(), workers, true);
    }
    return store.save(model, meta).thenApply(info -> true);
  }

  /** Removes a checkpoint; what it alone had made durable no longer is. */
  CompletableFuture<Long> delete(String checkpoint) {
    return store
        .delete(model.name(), checkpoint)
        .thenCompose(
            freed ->
                store
                    .living(model.name())
                    .thenApply(
                        left -> {
                          removed(left);
                          return freed;
                        }));
  }

  /**
   * @param left newest first
   */
  private void removed(List<CheckpointInfo> left) {
    synchronized (model.state()) {
      StepLedger ledger = model.state().ledger();
      long durable = ledger.durableStep().orElse(-1);
      if (left.stream().noneMatch(c -> c.step() == durable)) {
        ledger.unsaved(left.isEmpty() ? -1 : left.get(0).step());
      }
    }
  }

  private boolean isAutomatic() {
    return model.spec().everySteps() > 0;
  }

  private CheckpointMeta meta(Point point, WorkerSet workers, boolean automatic) {
    CreateModelRequest.Builder request =
        model.spec().request().toBuilder().clearWorkers().setMaxWorkers(model.spec().maxWorkers());
    if (!workers.ids().equals(List.of(""))) {
      request.addAllWorkers(workers.ids());
    }
    LedgerCodec.History history =
        new LedgerCodec.History(
            model.createTime(), workers.epoch(), point.momentsBegan(), point.last());
    return new CheckpointMeta(
        point.step(),
        point.incarnation(),
        request.build().toByteString(),
        LedgerCodec.write(history),
        Instant.now(),
        automatic);
  }
}
