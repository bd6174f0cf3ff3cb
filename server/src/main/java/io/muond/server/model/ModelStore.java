package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.checkpoint.CheckpointException;
import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.checkpoint.CheckpointMeta;
import io.muond.server.checkpoint.CheckpointStore;
import io.muond.v1.CreateModelRequest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Models in the data directory, if there is one. Everything runs on the storage threads. */
final class ModelStore {
  private static final Logger logger = LoggerFactory.getLogger(ModelStore.class);

  /** Automatic checkpoints: the older one is what remains should the newer one be damaged. */
  private static final int KEPT = 2;

  private final Optional<CheckpointStore> store;
  private final Executor storage;

  ModelStore(Optional<CheckpointStore> store, Executor storage) {
    this.store = requireNonNull(store, "store is null");
    this.storage = requireNonNull(storage, "storage is null");
  }

  /** What a checkpoint says of its model. */
  record Saved(CheckpointInfo info, CreateModelRequest request, LedgerCodec.History history) {}

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
    storage.execute(
        () -> {
          try {
            result.complete(work.call());
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
  CompletableFuture<CheckpointInfo> save(Model model, CheckpointMeta meta) {
    ModelTensors.Contents contents = new ModelTensors(model).committed();
    return submit(
        model.name(),
        "",
        () -> {
          CheckpointInfo info =
              store().save(model.name(), meta, contents.weights(), contents.state());
          prune(model.name(), meta);
          return info;
        });
  }

  /**
   * Writes a checkpoint of what a model is about to be, from its spare buffers. To be called
   * exclusively.
   */
  CompletableFuture<Void> saveSpare(Model model, CheckpointMeta meta) {
    ModelTensors.Contents contents = new ModelTensors(model).spare();
    return submit(
        model.name(),
        "",
        () -> {
          store().replace(model.name(), meta, contents.weights(), contents.state());
          prune(model.name(), meta);
          return null;
        });
  }

  /** That an old checkpoint cannot be removed does not make the new one less durable. */
  private void prune(String model, CheckpointMeta saved) {
    if (!saved.automatic()) {
      return;
    }
    try {
      store().prune(model, KEPT);
    } catch (CheckpointException e) {
      logger.warn("model \"{}\": old checkpoints were not removed: {}", model, e.getMessage());
    }
  }

  CompletableFuture<Long> delete(String model, String checkpoint) {
    return submit(model, checkpoint, () -> store().delete(model, checkpoint));
  }

  CompletableFuture<List<CheckpointInfo>> list(String model) {
    return submit(model, "", () -> model.isEmpty() ? store().list() : store().list(model));
  }

  /** Those that a restart may go back to, newest first. */
  CompletableFuture<List<CheckpointInfo>> living(String model) {
    return submit(model, "", () -> store().living(model));
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
        if (store().isIntact(model, candidate.id())) {
          return read(candidate);
        }
      } catch (CheckpointException e) {
        if (e.kind() != CheckpointException.Kind.CORRUPT) {
          throw e;
        }
        logger.warn("checkpoint skipped: {}", e.getMessage());
      }
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
    long last = history.last().map(CommittedStep::step).orElse(meta.step());
    if (last != meta.step()) {
      throw new IOException("last step " + last + " (expected: " + meta.step() + ")");
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
            ModelTensors.Sink weights = tensors.spareWeights();
            ModelTensors.Sink state = tensors.spareState();
            store().load(model.name(), info.id(), weights, state);
            weights.requireComplete();
            state.requireComplete();
            return null;
          } catch (ModelTensors.MismatchException e) {
            throw store().corrupt(model.name(), info.id(), e.file(), e.getMessage(), e);
          }
        });
  }

  /** The newest intact checkpoint of every model that was not deleted. */
  List<Saved> restorable(Map<String, Exception> damaged) throws CheckpointException {
    List<Saved> found = new ArrayList<>();
    for (String model : store().models()) {
      try {
        found.add(newestIntact(model, store().living(model)));
      } catch (CheckpointException | MuondException e) {
        damaged.put(model, e);
      }
    }
    return found;
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
   * @param meta what its model is now
   */
  CompletableFuture<Void> renew(CheckpointInfo info, CheckpointMeta meta) {
    return submit(
        info.model(),
        info.id(),
        () -> {
          store().renew(info.model(), info.id(), meta.modelSpec(), meta.ledger());
          return null;
        });
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
