package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.checkpoint.CheckpointException;
import io.muond.server.checkpoint.CheckpointStore;
import io.muond.server.engine.Engine;
import io.muond.server.optimizer.Optimizer;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All models of the server: a registry for each principal, and what they share: devices, threads,
 * the timer that looks after them.
 */
public final class ModelHost implements AutoCloseable {
  /** Who everybody is on a server that knows nobody; its models are where they were before. */
  public static final String ANONYMOUS = "";

  private static final Logger logger = LoggerFactory.getLogger(ModelHost.class);
  private static final int STORAGE_THREADS = 2;
  private static final Duration LOOK_AFTER = Duration.ofMillis(100);

  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(task -> new Thread(task, "timer"));
  private final ExecutorService storage =
      Executors.newFixedThreadPool(STORAGE_THREADS, task -> new Thread(task, "storage"));
  private final Map<String, ModelRegistry> registries = new ConcurrentHashMap<>();
  private final Map<String, CheckpointStore> stores = new ConcurrentHashMap<>();
  private final Optional<CheckpointStore> checkpoints;
  private final Function<String, Allowance> allowances;
  private final Platform platform;
  private volatile boolean draining;

  /**
   * @param engines at least one, of one kind; they stay the caller's, who closes them after this
   * @param optimizers makes the optimizer of an engine
   * @param checkpoints stays the caller's, who closes it after the host
   * @param allowances what each principal may hold; asked anew each time
   */
  public ModelHost(
      List<Engine> engines,
      Function<Engine, Optimizer> optimizers,
      ModelRegistry.Settings settings,
      StepObserver observer,
      Optional<CheckpointStore> checkpoints,
      Function<String, Allowance> allowances) {
    this.checkpoints = requireNonNull(checkpoints, "checkpoints is null");
    this.allowances = requireNonNull(allowances, "allowances is null");
    this.platform =
        new Platform(
            new Devices(engines.stream().map(e -> new Device(e, optimizers.apply(e)))),
            timer,
            new ModelStore(checkpoints, storage, observer),
            observer,
            () -> draining,
            new Inspections(),
            new Platform.Settings(settings.stepTimeout(), settings.readerGrace()));
    registries.put(ANONYMOUS, registry(ANONYMOUS, platform));
    var unused =
        timer.scheduleWithFixedDelay(
            this::lookAfter, LOOK_AFTER.toMillis(), LOOK_AFTER.toMillis(), TimeUnit.MILLISECONDS);
  }

  private ModelRegistry registry(String principal, Platform own) {
    return new ModelRegistry(own, new Budget(principal, () -> allowances.apply(principal)));
  }

  /**
   * The models of a principal.
   *
   * @param principal a letter or digit followed by up to 127 of {@code [A-Za-z0-9._-]}, or {@link
   *     #ANONYMOUS}
   */
  public ModelRegistry of(String principal) {
    ModelRegistry known = registries.get(principal);
    if (known != null) {
      return known;
    }
    return registries.computeIfAbsent(
        principal,
        p -> registry(p, platform.with(new ModelStore(store(p), storage, platform.observer()))));
  }

  /** Opened when it is first needed, and kept open: each is a directory of its own. */
  private Optional<CheckpointStore> store(String principal) {
    if (checkpoints.isEmpty()) {
      return Optional.empty();
    }
    try {
      CheckpointStore own = checkpoints.get().openFor(principal);
      stores.put(principal, own);
      return Optional.of(own);
    } catch (CheckpointException e) {
      throw Refusals.storageFailed(e.file(), e);
    }
  }

  /**
   * Loads the newest intact checkpoint of every model of every principal; what cannot be loaded is
   * logged.
   */
  public void restoreAll() throws CheckpointException {
    if (checkpoints.isPresent()) {
      for (String principal : checkpoints.get().principals()) {
        of(principal);
      }
    }
    for (ModelRegistry registry : registries.values()) {
      registry.restoreAll();
    }
  }

  private void lookAfter() {
    try {
      platform.devices().watch();
    } catch (Throwable e) {
      // A timer does not repeat what has thrown once.
      logger.error("looking after the devices failed", e);
    }
    long now = System.nanoTime();
    registries.values().forEach(r -> r.lookAfter(now));
  }

  /** The devices. */
  public Devices devices() {
    return platform.devices();
  }

  /** How long an open step may stay without news. */
  public Duration stepTimeout() {
    return platform.settings().stepTimeout();
  }

  /** All models of all principals. */
  public List<Model> list() {
    return registries.values().stream()
        .map(ModelRegistry::list)
        .flatMap(Collection::stream)
        .toList();
  }

  /** How all models of all principals are, by principal and name. */
  public List<ModelGlance> glances() {
    return new TreeMap<>(registries)
        .entrySet().stream()
            .flatMap(e -> e.getValue().list().stream().map(m -> ModelGlance.of(e.getKey(), m)))
            .toList();
  }

  /** Whether {@link #drain} was called. */
  public boolean isDraining() {
    return draining;
  }

  /** Refuses new models, uploads and steps from now on. */
  public void drain() {
    draining = true;
  }

  /** Ends steps and uploads for which something is still to come. */
  public void dropIncomplete() {
    for (Model model : list()) {
      if (model.dropIncomplete(Refusals.shuttingDown())) {
        logger.warn("model \"{}\": what was open was dropped: it stayed incomplete", model.name());
      }
    }
  }

  /** The last checkpoints of what is there when the server ends. */
  public FinalCheckpoints finalCheckpoints() {
    return new FinalCheckpoints(
        () ->
            registries.entrySet().stream()
                .flatMap(
                    of ->
                        of.getValue().list().stream()
                            .map(model -> new FinalCheckpoints.Owned(model, of.getKey())))
                .toList());
  }

  /** Whether any model has an open step or an upload. */
  public boolean isWorking() {
    return registries.values().stream().anyMatch(ModelRegistry::isWorking);
  }

  /** Frees every model. Checkpoints stay. */
  @Override
  public void close() {
    timer.shutdownNow();
    CompletableFuture.allOf(
            registries.values().stream()
                .map(ModelRegistry::close)
                .toArray(CompletableFuture[]::new))
        .join();
    platform.inspections().close();
    platform.devices().close();
    storage.shutdown();
    stores.forEach(ModelHost::close);
  }

  private static void close(String principal, CheckpointStore store) {
    try {
      store.close();
    } catch (CheckpointException e) {
      logger.error("the checkpoints of \"{}\" could not be closed", principal, e);
    }
  }
}
