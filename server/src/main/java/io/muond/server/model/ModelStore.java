package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.checkpoint.CheckpointException;
import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.checkpoint.CheckpointMeta;
import io.muond.server.checkpoint.CheckpointStore;
import io.muond.server.log.RequestScope;
import io.muond.v1.CreateModelRequest;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Models in the data directory, if there is one. Everything runs on the storage threads. */
final class ModelStore {
  private static final Logger logger = LoggerFactory.getLogger(ModelStore.class);

  private final Optional<CheckpointStore> store;
  private final Executor storage;
  private final StepObserver observer;
  private final Upkeep upkeep;

  ModelStore(Optional<CheckpointStore> store, Executor storage, StepObserver observer) {
    this.store = requireNonNull(store, "store is null");
    this.storage = requireNonNull(storage, "storage is null");
    this.observer = requireNonNull(observer, "observer is null");
    this.upkeep = new Upkeep(observer);
  }

  /** What a checkpoint says of its model. */
  record Saved(CheckpointInfo info, CreateModelRequest request, LedgerCodec.History history) {
    /** The incarnation that wrote it. */
    Incarnation incarnation() {
      return new Incarnation(
          info.incarnation(), history.origin(info.incarnation()), history.began());
    }
  }

  /** A checkpoint that was written, and what is durable since. */
  record Written(CheckpointInfo info, Durable durable) {}

  /** Refuses if there is no data directory. */
  void require() {
    if (store.isEmpty()) {
      throw Refusals.noDataDirectory();
    }
  }

  boolean isPresent() {
    return store.isPresent();
  }

  /**
   * @param model and {@code checkpoint}: what it is about, for errors
   */
  private <T> CompletableFuture<T> submit(String model, String checkpoint, Callable<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    Callable<T> captured = RequestScope.captureCallable(work);
    storage.execute(
        () -> {
          try {
            result.complete(captured.call());
          } catch (CheckpointException e) {
            result.completeExceptionally(refusal(model, checkpoint, e));
          } catch (Throwable failure) {
            result.completeExceptionally(failure);
          }
        });
    return result;
  }

  private static MuondException refusal(String model, String checkpoint, CheckpointException e) {
    return switch (e.kind()) {
      case NOT_FOUND -> Refusals.checkpointNotFound(model, checkpoint);
      case CORRUPT -> Refusals.checkpointCorrupt(checkpoint, e.file(), e);
      case STORAGE -> Refusals.storageFailed(e.file(), e);
    };
  }

  private CheckpointStore store() {
    return store.orElseThrow(Refusals::noDataDirectory);
  }

  /** Writes a checkpoint of what a model is. To be called exclusively. */
  CompletableFuture<Written> save(Model model, Contents contents) {
    ModelTensors.Contents tensors = new ModelTensors(model).committed();
    return submit(
        model.name(),
        "",
        () -> {
          CheckpointInfo info =
              watched(
                  () ->
                      store()
                          .save(model.name(), contents.meta(), tensors.weights(), tensors.state()));
          return new Written(info, settle(model, info, contents.origin()));
        });
  }

  /** Writes a checkpoint, and tells the observer how it went. */
  private CheckpointInfo watched(Callable<CheckpointInfo> writing) throws Exception {
    long began = System.nanoTime();
    CheckpointInfo written;
    try {
      written = writing.call();
    } catch (Throwable failure) {
      observer.notSaved();
      throw failure;
    }
    observer.saved((System.nanoTime() - began) / 1e9, written.sizeBytes());
    return written;
  }

  /**
   * Writes a checkpoint of what a model is about to be, from its spare buffers. To be called
   * exclusively.
   */
  CompletableFuture<Durable> saveSpare(Model model, Contents contents) {
    ModelTensors.Contents tensors = new ModelTensors(model).spare();
    return submit(
        model.name(),
        "",
        () -> {
          CheckpointInfo info =
              watched(
                  () ->
                      store()
                          .replace(
                              model.name(), contents.meta(), tensors.weights(), tensors.state()));
          return settle(model, info, contents.origin());
        });
  }

  /**
   * What a checkpoint says of its model.
   *
   * @param origin of the model's incarnation
   */
  record Contents(CheckpointMeta meta, String origin) {}

  private Durable settle(Model model, CheckpointInfo written, String origin) {
    upkeep.markIntact(written);
    return upkeep.settle(store(), written, origin, model.spec().retention());
  }

  /** Removes old checkpoints of a model that a restart has brought back from {@code info}. */
  CompletableFuture<Durable> settleRestored(Model model, CheckpointInfo info, String origin) {
    return submit(model.name(), info.id(), () -> settle(model, info, origin));
  }

  CompletableFuture<Long> delete(String model, String checkpoint) {
    return submit(model, checkpoint, () -> store().delete(model, checkpoint));
  }

  CompletableFuture<List<CheckpointInfo>> list(String model) {
    return submit(model, "", () -> model.isEmpty() ? store().list() : store().list(model));
  }

  /**
   * What is durable of a model after checkpoints of it were removed, empty if nothing is.
   *
   * @param origin of its incarnation
   */
  CompletableFuture<Optional<Durable>> durable(String model, String origin) {
    return submit(model, "", () -> Optional.ofNullable(newest(store().living(model), origin)));
  }

  private Durable newest(List<CheckpointInfo> living, String origin) throws CheckpointException {
    if (living.isEmpty()) {
      return null;
    }
    CheckpointInfo newest = living.get(0);
    return new Durable(newest.step(), upkeep.fallback(store(), living, newest, origin));
  }

  /** Reads what a checkpoint says of its model; the newest intact one if none is named. */
  CompletableFuture<Saved> find(String model, String checkpoint) {
    return submit(model, checkpoint, () -> read(model, checkpoint));
  }

  private Saved read(String model, String checkpoint) throws CheckpointException {
    List<CheckpointInfo> all = store().list(model);
    return checkpoint.isEmpty()
        ? newestIntact(model, all)
        : read(
            all.stream()
                .filter(c -> c.id().equals(checkpoint))
                .findFirst()
                .orElseThrow(() -> Refusals.checkpointNotFound(model, checkpoint)));
  }

  /**
   * @param candidates newest first
   */
  private Saved newestIntact(String model, List<CheckpointInfo> candidates)
      throws CheckpointException {
    for (CheckpointInfo candidate : candidates) {
      try {
        if (!upkeep.isDamaged(candidate) && store().isIntact(model, candidate.id())) {
          return read(candidate);
        }
      } catch (CheckpointException e) {
        if (e.kind() != CheckpointException.Kind.CORRUPT) {
          throw e;
        }
        logger.warn("checkpoint skipped: {}", e.getMessage());
      }
      upkeep.markDamaged(candidate);
    }
    throw Refusals.checkpointNotFound(model, "");
  }

  private Saved read(CheckpointInfo info) throws CheckpointException {
    CheckpointMeta meta = store().meta(info.model(), info.id());
    return new Saved(
        info,
        decode(info, "model_spec", () -> request(meta)),
        decode(info, "ledger", () -> history(meta)));
  }

  private <T> T decode(CheckpointInfo info, String field, Callable<T> reading)
      throws CheckpointException {
    try {
      return reading.call();
    } catch (Exception e) {
      String fault = field + ": " + e.getMessage();
      throw store().corrupt(info.model(), info.id(), CheckpointStore.MANIFEST, fault, e);
    }
  }

  private static CreateModelRequest request(CheckpointMeta meta) throws IOException {
    CreateModelRequest request = CreateModelRequest.parseFrom(meta.modelSpec());
    // Refuses what no model was ever made of.
    ModelReader.read(request);
    return request;
  }

  private static LedgerCodec.History history(CheckpointMeta meta) throws IOException {
    LedgerCodec.History history = LedgerCodec.read(meta.ledger());
    for (int i = 0; i < history.records().size(); i++) {
      long step = history.records().get(i).step();
      long expected = meta.step() - (history.records().size() - 1 - i);
      if (step != expected) {
        throw new IOException("record of step " + step + " (expected: " + expected + ")");
      }
    }
    if (history.momentsBegan() < 0 || history.momentsBegan() > meta.step()) {
      throw new IOException(
          "moments began at step "
              + history.momentsBegan()
              + " (expected: 0 to "
              + meta.step()
              + ")");
    }
    return history;
  }

  /** Loads a checkpoint's tensors into the model's spare buffers. To be called exclusively. */
  CompletableFuture<Void> load(Model model, CheckpointInfo info) {
    ModelTensors tensors = new ModelTensors(model);
    return submit(
        model.name(),
        info.id(),
        () -> {
          try {
            load(tensors, info);
            return null;
          } catch (CheckpointException e) {
            if (e.kind() == CheckpointException.Kind.CORRUPT) {
              upkeep.markDamaged(info);
            }
            throw e;
          }
        });
  }

  private void load(ModelTensors tensors, CheckpointInfo info) throws CheckpointException {
    try {
      ModelTensors.Sink weights = tensors.spareWeights();
      ModelTensors.Sink state = tensors.spareState();
      store().load(info.model(), info.id(), weights, state);
      weights.requireComplete();
      state.requireComplete();
    } catch (ModelTensors.MismatchException e) {
      throw store().corrupt(info.model(), info.id(), e.file(), e.getMessage(), e);
    }
  }

  /** The models that were not deleted, by name. */
  List<String> models() throws CheckpointException {
    return store().models();
  }

  /**
   * The newest checkpoint of a model that was not deleted, of those that are intact and were not
   * found to hold other tensors.
   */
  CompletableFuture<Saved> newestLiving(String model) {
    return submit(
        model,
        "",
        () -> {
          List<CheckpointInfo> living = store().living(model);
          Saved newest = newestIntact(model, living);
          upkeep.verifyAfter(store(), living, newest.info());
          return newest;
        });
  }

  /**
   * Whether {@code info} is known to be the newest checkpoint of its model, intact or not. One
   * whose manifest cannot be read may have been newer.
   */
  boolean isNewest(CheckpointInfo info) throws CheckpointException {
    return store().isWhole(info.model())
        && store().list(info.model()).get(0).id().equals(info.id());
  }

  /**
   * Makes a checkpoint the one that a restart goes back to.
   *
   * @param contents what its model is now
   */
  CompletableFuture<Durable> renew(Model model, CheckpointInfo info, Contents contents) {
    CheckpointMeta meta = contents.meta();
    return submit(
        info.model(),
        info.id(),
        () -> {
          store().renew(info.model(), info.id(), meta.modelSpec(), meta.ledger());
          return settle(model, info, contents.origin());
        });
  }

  /** Notes that a model ends at its newest checkpoint. */
  CompletableFuture<Void> markComplete(String model) {
    return change(model, () -> store().markComplete(model));
  }

  /** The checkpoint at which a model ended, if that is known. From now on it may go on. */
  Optional<String> takeComplete(String model) {
    try {
      return store().takeComplete(model);
    } catch (CheckpointException e) {
      logger.warn("model \"{}\": that no step was lost cannot be used: {}", model, e.getMessage());
      return Optional.empty();
    }
  }

  /** Makes sure that no restart brings a model back. */
  CompletableFuture<Void> bury(String model) {
    return change(model, () -> store().bury(model));
  }

  /** Removes all that there is of a model. */
  CompletableFuture<Void> remove(String model) {
    return change(model, () -> store().removeAll(model));
  }

  @FunctionalInterface
  private interface Change {
    void run() throws CheckpointException;
  }

  /** Does nothing without a data directory. */
  private CompletableFuture<Void> change(String model, Change change) {
    if (store.isEmpty()) {
      return CompletableFuture.completedFuture(null);
    }
    return submit(
        model,
        "",
        () -> {
          change.run();
          return null;
        });
  }
}
