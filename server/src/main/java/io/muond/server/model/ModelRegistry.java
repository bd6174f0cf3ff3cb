package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.checkpoint.CheckpointException;
import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.log.RequestScope;
import io.muond.server.model.ModelRestorer.Goal;
import io.muond.server.model.ModelStore.Saved;
import io.muond.v1.CreateModelRequest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The models of one principal, by name: creates, finds and deletes them. What others have is
 * neither found nor in the way.
 */
public final class ModelRegistry {
  private static final Logger logger = LoggerFactory.getLogger(ModelRegistry.class);

  private final Map<String, Model> models = new ConcurrentSkipListMap<>();
  private final Set<String> reserved = new HashSet<>();
  private final ModelStore store;
  private final ModelRestorer restorer;
  private final ModelBuilder builder;
  private final Platform platform;
  private final Budget budget;
  private volatile boolean restoring;

  /** How the registry behaves. */
  public record Settings(Duration stepTimeout, Duration readerGrace) {
    public Settings {
      requireNonNull(stepTimeout, "stepTimeout is null");
      requireNonNull(readerGrace, "readerGrace is null");
    }
  }

  /**
   * @param platform with the principal's store
   * @param budget what the principal may hold
   */
  ModelRegistry(Platform platform, Budget budget) {
    this.platform = requireNonNull(platform, "platform is null");
    this.budget = requireNonNull(budget, "budget is null");
    this.store = platform.store();
    this.restorer = new ModelRestorer(store);
    this.builder = new ModelBuilder(platform, budget);
  }

  /** Creates a model; completes when it is ready, or waits for its weights. */
  public CompletableFuture<Model> create(CreateModelRequest request) {
    RequestScope.current().concerns(request.getModel());
    ModelSpec spec = ModelReader.read(request);
    requireNotDraining();
    if (spec.everySteps() > 0) {
      store.require();
    }
    reserve(spec.name());
    Model.Origin origin =
        new Model.Origin(
            new StepLedger(spec.name(), Incarnation.original(0), spec.stagedSteps()),
            new WorkerSet(spec.workers(), 1),
            request.hasSeed(),
            Instant.now());
    return build(spec, origin)
        .thenCompose(model -> saveFirst(model, request.hasSeed()))
        .thenApply(this::publish)
        .whenComplete((model, failure) -> unreserve(spec.name()));
  }

  private CompletableFuture<Model> build(ModelSpec spec, Model.Origin origin) {
    // Whatever is thrown ends up in the future, after which the name is free again.
    return CompletableFuture.completedFuture(spec).thenCompose(s -> builder.build(s, origin));
  }

  /** Its lease begins now: making it may have taken longer. */
  private Model publish(Model model) {
    model.beginLease();
    models.put(model.name(), model);
    return model;
  }

  /** A model that has checkpoints written has one from the beginning. */
  private static CompletableFuture<Model> saveFirst(Model model, boolean ready) {
    if (!ready) {
      return CompletableFuture.completedFuture(model);
    }
    return keptIf(model.exclusively(() -> model.saver().saveFirst()), model);
  }

  /** The model, once {@code done} has succeeded; if it fails, nothing of the model is kept. */
  private static CompletableFuture<Model> keptIf(CompletableFuture<?> done, Model model) {
    return done.handle((ignored, failure) -> failure)
        .thenCompose(
            failure ->
                failure == null
                    ? CompletableFuture.completedFuture(model)
                    : discard(model, failure));
  }

  private static CompletableFuture<Model> discard(Model model, Throwable failure) {
    return ModelEnd.leaving(Refusals.modelNotFound(model.name()))
        .close(model)
        .thenCompose(freed -> CompletableFuture.failedFuture(failure));
  }

  private void reserve(String name) {
    synchronized (reserved) {
      if (models.containsKey(name) || reserved.contains(name)) {
        throw Refusals.modelExists(name);
      }
      budget.requireRoom(
          models.size() + reserved.stream().filter(n -> !models.containsKey(n)).count());
      reserved.add(name);
    }
  }

  private void unreserve(String name) {
    synchronized (reserved) {
      reserved.remove(name);
    }
  }

  /** Finds a model. */
  public Model get(String name) {
    RequestScope.current().concerns(name);
    Model model = models.get(name);
    if (model == null) {
      throw name.isEmpty()
          ? Refusals.invalidField("model", "\"\"", "a model's name")
          : Refusals.modelNotFound(name);
    }
    return model;
  }

  /** All models, by name. */
  public List<Model> list() {
    return List.copyOf(models.values());
  }

  /**
   * Deletes a model.
   *
   * @return the bytes of device memory freed
   */
  public CompletableFuture<Long> delete(String name, boolean keepCheckpoints) {
    Model model = get(name);
    ModelEnd end = end(name, "was deleted", keepCheckpoints);
    return model.duringEnd(() -> end.close(model)).whenComplete((freed, failure) -> forget(model));
  }

  private ModelEnd end(String model, String how, boolean keepCheckpoints) {
    return new ModelEnd(
        Refusals.modelDeleted(model, how),
        () -> store.bury(model),
        () -> keepCheckpoints ? CompletableFuture.completedFuture(null) : store.remove(model));
  }

  private void forget(Model model) {
    if (model.isClosed()) {
      models.remove(model.name(), model);
    }
  }

  /**
   * Writes a checkpoint of a model.
   *
   * @param prunable whether it may be removed like one that nobody asked for
   */
  public CompletableFuture<CheckpointInfo> save(String name, boolean prunable) {
    store.require();
    return get(name).save(prunable);
  }

  /** Checkpoints, newest first; of all models if {@code name} is empty. */
  public CompletableFuture<List<CheckpointInfo>> checkpoints(String name) {
    RequestScope.current().concerns(name);
    if (!name.isEmpty()) {
      ModelReader.requireName("model", name);
    }
    return store.isPresent() ? store.list(name) : CompletableFuture.completedFuture(List.of());
  }

  /**
   * Removes a checkpoint.
   *
   * @return the bytes freed on disk
   */
  public CompletableFuture<Long> deleteCheckpoint(String name, String checkpoint) {
    RequestScope.current().concerns(name);
    store.require();
    ModelReader.requireName("model", name);
    Model model = models.get(name);
    return model == null ? store.delete(name, checkpoint) : model.deleteCheckpoint(checkpoint);
  }

  /** Puts a model back to a checkpoint, the newest intact one by default, or creates it again. */
  public CompletableFuture<Model> restore(String name, String checkpoint) {
    RequestScope.current().concerns(name);
    store.require();
    requireNotDraining();
    ModelReader.requireName("model", name);
    Model present = models.get(name);
    Supplier<CompletableFuture<Model>> find = () -> findAndRestore(name, checkpoint);
    return present == null ? find.get() : present.duringEnd(find);
  }

  private CompletableFuture<Model> findAndRestore(String name, String checkpoint) {
    return store
        .find(name, checkpoint)
        .thenCompose(
            saved ->
                restore(name, saved)
                    .exceptionallyCompose(
                        failure ->
                            checkpoint.isEmpty() && Revival.isCorrupt(failure)
                                // The store does not offer it again.
                                ? findAndRestore(name, checkpoint)
                                : CompletableFuture.failedFuture(failure)));
  }

  private CompletableFuture<Model> restore(String name, Saved saved) {
    Model model = models.get(name);
    Goal goal = Goal.asked(saved);
    if (model == null) {
      return recreate(goal);
    }
    return model.isLost()
        ? replace(model, goal)
        : restorer.restore(model, goal).thenApply(ignored -> model);
  }

  /** Makes a model again whose device was lost. */
  private CompletableFuture<Model> replace(Model lost, Goal goal) {
    return ModelEnd.leaving(Refusals.modelDeleted(lost.name(), "is made again from a checkpoint"))
        .close(lost)
        .thenCompose(
            freed -> {
              forget(lost);
              return recreate(goal);
            });
  }

  private CompletableFuture<Model> recreate(Goal goal) {
    ModelSpec spec = ModelReader.read(goal.saved().request());
    reserve(spec.name());
    Model.Origin origin =
        new Model.Origin(
            new StepLedger(spec.name(), goal.incarnation(), spec.stagedSteps()),
            new WorkerSet(spec.workers(), goal.saved().history().workerEpoch()),
            false,
            goal.saved().history().createTime());
    return build(spec, origin)
        .thenCompose(model -> keptIf(restorer.restore(model, goal), model))
        .thenApply(this::publish)
        .whenComplete((model, failure) -> unreserve(spec.name()));
  }

  /** Loads every model that was not deleted, see {@link Revival}. */
  void restoreAll() throws CheckpointException {
    if (!store.isPresent()) {
      return;
    }
    restoring = true;
    budget.suspend(true);
    new Revival(store, this::recreate).run();
    // Nobody could renew them meanwhile.
    models.values().forEach(Model::beginLease);
    budget.suspend(false);
    restoring = false;
  }

  /**
   * To be called now and then, by one thread: drops what has waited for too long.
   *
   * @param now by {@link System#nanoTime}
   */
  void lookAfter(long now) {
    for (Model model : models.values()) {
      try {
        model.refuseIfLost();
        model.expire(now);
        // Nor can a lease be renewed of a server that refuses calls.
        if (!restoring && !platform.draining().getAsBoolean()) {
          endIfExpired(model, now);
        }
      } catch (Throwable e) {
        // A timer does not repeat what has thrown once.
        logger.error("model \"{}\": looking after it failed", model.name(), e);
      }
    }
  }

  private void endIfExpired(Model model, long now) {
    ModelEnd end = end(model.name(), "was deleted: its lease had expired", false);
    var unused =
        end.closeExpired(model, now)
            .map(freed -> freed.whenComplete((n, failure) -> leaseEnded(model, failure)));
  }

  private void leaseEnded(Model model, Throwable failure) {
    forget(model);
    if (failure == null) {
      logger.info("model \"{}\" was deleted: its lease had expired", model.name());
    } else if (model.isClosed()) {
      logger.error("model \"{}\" could not be deleted completely", model.name(), failure);
    } else {
      logger.error(
          "model \"{}\" goes on though its lease has expired: it cannot be deleted",
          model.name(),
          failure);
    }
  }

  /** Refuses if no new work is taken. */
  private void requireNotDraining() {
    if (platform.draining().getAsBoolean()) {
      throw Refusals.shuttingDown();
    }
  }

  /** Whether any model has an open step or an upload. */
  public boolean isWorking() {
    return models.values().stream().anyMatch(Model::isWorking);
  }

  /** Frees every model. Checkpoints stay. */
  CompletableFuture<Void> close() {
    List<CompletableFuture<Long>> freed = new ArrayList<>();
    for (Model model : models.values()) {
      // One that is being deleted needs no more than to be waited for.
      freed.add(
          ModelEnd.leaving(Refusals.shuttingDown())
              .close(model)
              .exceptionally(failure -> noteUnlessDeleted(model, failure)));
    }
    return CompletableFuture.allOf(freed.toArray(CompletableFuture[]::new));
  }

  private static long noteUnlessDeleted(Model model, Throwable failure) {
    if (!(failure.getCause() instanceof MuondException)) {
      logger.error("model \"{}\" could not be freed", model.name(), failure);
    }
    return 0;
  }
}
