package io.muond.server.model;

import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.checkpoint.CheckpointMeta;
import io.muond.server.model.ModelStore.Contents;
import io.muond.server.model.StepLedger.Point;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.ErrorReason;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes one model's checkpoints, by request and by itself. What it writes by itself it writes
 * before the change is in force, so that a change which cannot be saved never was. All methods are
 * to be called exclusively.
 */
final class ModelSaver {
  private static final Logger logger = LoggerFactory.getLogger(ModelSaver.class);

  private final Model model;
  private final ModelStore store;

  /** What the newest checkpoint is of, if that is known; of what the model was since. */
  private Saved saved;

  /** What a checkpoint is of, beside what never changes. */
  private record Saved(Point point, WorkerSet workers) {}

  ModelSaver(Model model, ModelStore store) {
    this.model = model;
    this.store = store;
  }

  /**
   * Writes a checkpoint by request.
   *
   * @param prunable whether it may be removed like one that nobody asked for
   */
  CompletableFuture<CheckpointInfo> save(boolean prunable) {
    store.require();
    return saveNow(prunable).thenApply(ModelStore.Written::info);
  }

  /** Writes the first checkpoint of a model that has them written. */
  CompletableFuture<Void> saveFirst() {
    return isAutomatic()
        ? saveNow(true).thenApply(written -> null)
        : CompletableFuture.completedFuture(null);
  }

  /**
   * Writes the last checkpoint before the server ends, unless the newest one is of the same, and
   * notes that no step is missing from it. Does nothing for a model that has nothing to be saved,
   * or nowhere.
   */
  CompletableFuture<Void> saveFinal() {
    Saved now;
    synchronized (model.state()) {
      if (!store.isPresent() || !model.state().isReady() || model.state().isLost()) {
        return CompletableFuture.completedFuture(null);
      }
      now = new Saved(model.state().ledger().now(), model.state().workers());
    }
    return (now.equals(saved) ? CompletableFuture.completedFuture(null) : saveNow(true))
        .thenCompose(written -> store.markComplete(model.name()));
  }

  private CompletableFuture<ModelStore.Written> saveNow(boolean automatic) {
    ModelState state = model.state();
    Saved saving;
    synchronized (state) {
      state.requireReady(model.name());
      saving = new Saved(state.ledger().now(), state.workers());
    }
    return store
        .save(model, contents(saving, automatic))
        .thenApply(
            written -> {
              synchronized (state) {
                state.ledger().setDurable(Optional.of(written.durable()));
              }
              saved = saving;
              return written;
            });
  }

  /**
   * The step in the spare buffers leads to {@code next}: writes a checkpoint of that, if it is due.
   *
   * @return what is durable then, if there is one
   */
  CompletableFuture<Optional<Durable>> saveStep(Point next) {
    return isAutomatic() && next.step() % model.spec().everySteps() == 0
        ? saveSpare(next)
        : CompletableFuture.completedFuture(Optional.empty());
  }

  /**
   * The weights in the spare buffers lead to {@code next}: writes a checkpoint of that, if the
   * model has them written.
   *
   * @return what is durable then, if there is one
   */
  CompletableFuture<Optional<Durable>> saveRewritten(Point next) {
    return isAutomatic() ? saveSpare(next) : CompletableFuture.completedFuture(Optional.empty());
  }

  /**
   * The checkpoint in the spare buffers, {@code info}, leads to {@code next}: makes sure that a
   * restart goes back to that, with this model's settings. The checkpoint's may have been others,
   * since only its parameters must be the same.
   */
  CompletableFuture<Optional<Durable>> saveRestored(Point next, CheckpointInfo info) {
    // Renewed, it still has the incarnation that wrote it.
    saved = null;
    return isAutomatic()
        ? saveSpare(next)
        : store.renew(model, info, contents(next(next), true)).thenApply(Optional::of);
  }

  /**
   * The checkpoint in the spare buffers, {@code info}, leads to {@code next} after a restart: if
   * the model has checkpoints written and may have lost steps, writes one more, since others may be
   * damaged. A disk that takes nothing is no reason to be without the model: {@code info} is there.
   */
  CompletableFuture<Optional<Durable>> saveRestarted(Point next, CheckpointInfo info) {
    String origin = next.incarnation().origin();
    if (next.incarnation().id().equals(info.incarnation())) {
      Saved as = next(next);
      return store.settleRestored(model, info, origin).thenApply(durable -> saved(as, durable));
    }
    if (!isAutomatic()) {
      return store.settleRestored(model, info, origin).thenApply(Optional::of);
    }
    return saveSpare(next).exceptionallyCompose(failure -> goOnFrom(info, origin, failure));
  }

  private CompletableFuture<Optional<Durable>> goOnFrom(
      CheckpointInfo info, String origin, Throwable failure) {
    if (!(failure.getCause() instanceof MuondException refusal)
        || refusal.reason() != ErrorReason.STORAGE_FAILED) {
      return CompletableFuture.failedFuture(failure);
    }
    logger.warn(
        "model \"{}\": goes on from checkpoint {}, of which no copy can be written: {}",
        model.name(),
        info.id(),
        refusal.getMessage());
    return store.settleRestored(model, info, origin).thenApply(Optional::of);
  }

  private CompletableFuture<Optional<Durable>> saveSpare(Point next) {
    Saved saving = next(next);
    return store
        .saveSpare(model, contents(saving, true))
        .thenApply(durable -> saved(saving, durable));
  }

  private Saved next(Point next) {
    synchronized (model.state()) {
      return new Saved(next, model.state().workers());
    }
  }

  private Optional<Durable> saved(Saved now, Durable durable) {
    saved = now;
    return Optional.of(durable);
  }

  /**
   * Writes a checkpoint of the model with other workers, if it has them written.
   *
   * @return what is durable then, if there is one
   */
  CompletableFuture<Optional<Durable>> saveWorkers(WorkerSet workers) {
    Saved saving;
    synchronized (model.state()) {
      if (!isAutomatic() || !model.state().isReady()) {
        return CompletableFuture.completedFuture(Optional.empty());
      }
      saving = new Saved(model.state().ledger().now(), workers);
    }
    return store
        .save(model, contents(saving, true))
        .thenApply(written -> saved(saving, written.durable()));
  }

  /** Removes a checkpoint; what it alone had made durable no longer is. */
  CompletableFuture<Long> delete(String checkpoint) {
    saved = null;
    return store
        .delete(model.name(), checkpoint)
        .thenCompose(
            freed ->
                store
                    .durable(model.name(), origin())
                    .thenApply(
                        left -> {
                          removed(left);
                          return freed;
                        }));
  }

  private String origin() {
    synchronized (model.state()) {
      return model.state().ledger().now().incarnation().origin();
    }
  }

  private void removed(Optional<Durable> left) {
    synchronized (model.state()) {
      StepLedger ledger = model.state().ledger();
      long before = ledger.durableStep().orElse(-1);
      // One of later steps was there before: the model was put back from it to an earlier one.
      ledger.setDurable(left.filter(durable -> durable.step() <= before));
    }
  }

  private boolean isAutomatic() {
    return model.spec().everySteps() > 0;
  }

  private Contents contents(Saved saving, boolean automatic) {
    Point point = saving.point();
    WorkerSet workers = saving.workers();
    CreateModelRequest.Builder request =
        model.spec().request().toBuilder().clearWorkers().setMaxWorkers(model.spec().maxWorkers());
    if (!workers.ids().equals(List.of(""))) {
      request.addAllWorkers(workers.ids());
    }
    LedgerCodec.History history =
        new LedgerCodec.History(
            model.createTime(),
            workers.epoch(),
            point.incarnation().origin(),
            point.incarnation().began(),
            point.momentsBegan(),
            point.records());
    CheckpointMeta meta =
        new CheckpointMeta(
            point.step(),
            point.incarnation().id(),
            request.build().toByteString(),
            LedgerCodec.write(history),
            Instant.now(),
            automatic);
    return new Contents(meta, point.incarnation().origin());
  }
}
