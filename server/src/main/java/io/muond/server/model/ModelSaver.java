package io.muond.server.model;

import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.checkpoint.CheckpointMeta;
import io.muond.v1.CreateModelRequest;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Writes one model's checkpoints, by request and by itself. */
final class ModelSaver {
  private final Model model;
  private final ModelStore store;

  ModelSaver(Model model, ModelStore store) {
    this.model = model;
    this.store = store;
  }

  /** Writes a checkpoint by request. To be called exclusively. */
  CompletableFuture<CheckpointInfo> save() {
    store.require();
    return write(false);
  }

  /** Writes a checkpoint if one is due after {@code step}. To be called exclusively. */
  CompletableFuture<Void> saveIfDue(long step) {
    long every = model.spec().everySteps();
    if (every == 0 || step % every != 0 || isDurable(step)) {
      return CompletableFuture.completedFuture(null);
    }
    return saveAutomatically();
  }

  /**
   * Removes a checkpoint; what it alone had made durable no longer is. To be called exclusively.
   */
  CompletableFuture<Long> delete(String checkpoint) {
    return store
        .delete(model.name(), checkpoint)
        .thenCompose(
            freed ->
                store
                    .list(model.name())
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

  private boolean isReady() {
    synchronized (model.state()) {
      return model.state().isReady();
    }
  }

  private boolean isDurable(long step) {
    synchronized (model.state()) {
      return model.state().ledger().durableStep().orElse(-1) >= step;
    }
  }

  /** Writes a checkpoint if the model has them written. To be called exclusively. */
  CompletableFuture<Void> saveIfAutomatic() {
    return model.spec().everySteps() == 0 || !isReady()
        ? CompletableFuture.completedFuture(null)
        : saveAutomatically();
  }

  private CompletableFuture<Void> saveAutomatically() {
    return write(true).thenApply(info -> null);
  }

  private CompletableFuture<CheckpointInfo> write(boolean automatic) {
    CheckpointMeta meta;
    synchronized (model.state()) {
      model.state().requireReady(model.name());
      meta = meta(model.state(), automatic);
    }
    return store
        .save(model, meta)
        .thenApply(
            info -> {
              synchronized (model.state()) {
                model.state().ledger().saved(info.step());
              }
              return info;
            });
  }

  private CheckpointMeta meta(ModelState state, boolean automatic) {
    List<String> workers = state.workers().ids();
    CreateModelRequest.Builder request =
        model.spec().request().toBuilder().clearWorkers().setMaxWorkers(model.spec().maxWorkers());
    if (!workers.equals(List.of(""))) {
      request.addAllWorkers(workers);
    }
    LedgerCodec.History history =
        new LedgerCodec.History(model.createTime(), state.workers().epoch(), state.ledger().last());
    return new CheckpointMeta(
        state.ledger().committedStep(),
        state.ledger().incarnation(),
        request.build().toByteString(),
        LedgerCodec.write(history),
        Instant.now(),
        automatic);
  }
}
