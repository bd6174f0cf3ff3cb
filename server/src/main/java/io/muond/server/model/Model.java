package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.model.StepLedger.Point;
import io.muond.v1.CommitOptions;
import io.muond.v1.InspectModelRequest;
import io.muond.v1.ParameterReport;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.SetWorkersResponse;
import io.muond.v1.StepHeader;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * One model: its parameters, its memory, where its history stands, and what may be done with it.
 * Thread-safe. No method blocks; what takes long completes a future, on any thread.
 */
public final class Model {
  private final ModelSpec spec;
  private final Platform platform;
  private final Shards shards;
  private final ModelState state;
  private final Instant createTime;
  private final ReaderBoard readers;
  private final SerialQueue queue = new SerialQueue();
  private final StepDesk desk;
  private final WorkersDesk workers;
  private final WeightsDesk weights;
  private final StepCommitter committer;
  private final ModelSaver saver;
  private final ModelInspector inspector;
  private WeightsUpload upload;
  private volatile MuondException freeing;

  /** Where a model's history begins. */
  record Origin(StepLedger ledger, WorkerSet workers, boolean ready, Instant createTime) {}

  Model(ModelSpec spec, Shards shards, Origin origin, Platform platform) {
    this.spec = spec;
    this.shards = shards;
    this.platform = platform;
    this.createTime = origin.createTime();
    Lease lease = new Lease(spec.leaseTtl());
    this.state = new ModelState(origin.ledger(), lease, origin.workers(), origin.ready());
    this.readers = new ReaderBoard(platform.timer(), platform.settings().readerGrace(), lease);
    this.weights = new WeightsDesk(this, readers);
    this.desk = new StepDesk(spec, state, shards, platform);
    this.workers = new WorkersDesk(this);
    this.saver = new ModelSaver(this, platform.store());
    this.committer = new StepCommitter(this);
    this.inspector = new ModelInspector(this);
  }

  ModelSpec spec() {
    return spec;
  }

  Platform platform() {
    return platform;
  }

  Shards shards() {
    return shards;
  }

  ModelState state() {
    return state;
  }

  StepDesk desk() {
    return desk;
  }

  StepObserver observer() {
    return platform.observer();
  }

  Instant createTime() {
    return createTime;
  }

  /** Its name. */
  public String name() {
    return spec.name();
  }

  /** Describes it to clients. */
  public io.muond.v1.Model describe() {
    return ModelView.of(this);
  }

  /** How many parameters it has. */
  public int parameterCount() {
    return spec.parameters().size();
  }

  /** Gradient bytes of open steps that are here, as they came over the wire. */
  public long stagedBytes() {
    synchronized (state) {
      return state.stagedBytes();
    }
  }

  /** The largest residual of the last step's report, 0 if there is none. */
  public double worst(ToDoubleFunction<ParameterReport> residual) {
    synchronized (state) {
      return state.ledger().worst(residual);
    }
  }

  /**
   * Opens a step for one worker. Waits while the previous step computes.
   *
   * @param owner the call that opens it, see {@link StepWriter#leave}
   */
  public CompletableFuture<StepWriter> open(StepHeader header, Object owner) {
    requireNonNull(owner, "owner is null");
    return during(() -> desk.open(header, owner)).thenApply(t -> new StepWriter(this, t));
  }

  /** Finds what one worker has opened. */
  public StepWriter find(StepHeader header) {
    return new StepWriter(this, desk.find(header));
  }

  CompletableFuture<Committed> commit(
      StepTicket ticket, CommitOptions options, Consumer<WeightsReader> onEarly) {
    return during(() -> committer.commit(ticket, options, onEarly));
  }

  /**
   * Drops the open step of {@code header}.
   *
   * @return the next step
   */
  public CompletableFuture<Long> abort(StepHeader header) {
    return during(() -> desk.abort(header));
  }

  /** Replaces the workers and begins a new epoch; drops the open step. */
  public CompletableFuture<SetWorkersResponse> setWorkers(List<String> ids) {
    return workers.replace(ids);
  }

  /** Drops the open step and runs an operation alone; no step opens until it ends. */
  <T> CompletableFuture<T> withoutStep(String why, Supplier<CompletableFuture<T>> operation) {
    return state
        .whenIdle(
            () -> {
              desk.drop(why);
              state.occupy();
              return this;
            })
        .thenCompose(
            occupied -> exclusively(operation).whenComplete((result, failure) -> release()));
  }

  private void release() {
    Runnable waiting;
    synchronized (state) {
      waiting = state.release();
    }
    waiting.run();
  }

  /**
   * The spare buffers become the model's weights and momentum, and its history stands at {@code
   * next}. To be called exclusively.
   *
   * @param saved what is durable if a checkpoint of that is on disk; empty if none is
   */
  void publish(Point next, Optional<Durable> saved) {
    synchronized (state) {
      shards.commit();
      state.ledger().advance(next);
      saved.ifPresent(durable -> state.ledger().setDurable(saved));
      desk.advance();
      state.repeats().keep(state.ledger());
      state.setReady();
    }
  }

  /** Begins an upload of weights; drops the open step. */
  public CompletableFuture<WeightsUpload> upload() {
    return state.whenIdle(
        () -> {
          if (platform.draining().getAsBoolean()) {
            throw Refusals.shuttingDown();
          }
          // Made first: what fails here must leave the model as it was.
          WeightsUpload begun = new WeightsUpload(this, desk.upload());
          desk.drop("weights are being written");
          state.occupy();
          upload = begun;
          return upload;
        });
  }

  /** To be called with the lock. */
  void uploadEnded() {
    upload = null;
  }

  /** Measures weights as of the last committed step, and what that step did. */
  public CompletableFuture<Inspection> inspect(InspectModelRequest request) {
    return during(() -> inspector.inspect(weights.parameters(request.getParametersList())));
  }

  /** Begins to read weights of the last committed step. The caller closes the reader. */
  public WeightsReader read(ReadWeightsRequest request) {
    return weights.read(request);
  }

  WeightsDesk weights() {
    return weights;
  }

  /**
   * Runs an operation after those before it, alone; it must not block. Once memory is being freed
   * it is not run any more, and fails.
   */
  <T> CompletableFuture<T> exclusively(Supplier<CompletableFuture<T>> operation) {
    return queue.run(
        () -> freeing == null ? operation.get() : CompletableFuture.failedFuture(freeing));
  }

  /**
   * Runs {@code work}, which writes the spare weights, for every shard on its device's thread, once
   * nobody reads them. To be called exclusively.
   */
  <T> CompletableFuture<List<T>> computeInSpare(Function<Shard, T> work) {
    return vacateSpare().thenCompose(ignored -> shards.onEach(work));
  }

  /** Completes once nobody reads the spare weights. To be called exclusively. */
  CompletableFuture<Void> vacateSpare() {
    synchronized (state) {
      state.trace().lost();
    }
    return readers.vacate(1 - shards.committedBuffer());
  }

  ModelSaver saver() {
    return saver;
  }

  /** Writes a checkpoint of the last committed step; a prunable one need not stay for ever. */
  public CompletableFuture<CheckpointInfo> save(boolean prunable) {
    return during(() -> exclusively(() -> saver.save(prunable)));
  }

  /** Removes a checkpoint; tells the bytes freed on disk. */
  CompletableFuture<Long> deleteCheckpoint(String checkpoint) {
    return during(() -> exclusively(() -> saver.delete(checkpoint)));
  }

  /** Runs a call during which the lease does not end; one that is accepted is a heartbeat. */
  <T> CompletableFuture<T> during(Supplier<CompletableFuture<T>> call) {
    return during(state::requireLive, call);
  }

  /** As {@link #during}, for a call that a lost model takes too: one that ends it. */
  <T> CompletableFuture<T> duringEnd(Supplier<CompletableFuture<T>> call) {
    return during(state::requireOpen, call);
  }

  private <T> CompletableFuture<T> during(Runnable require, Supplier<CompletableFuture<T>> call) {
    synchronized (state) {
      require.run();
      state.lease().hold();
    }
    CompletableFuture<T> answer;
    try {
      answer = call.get();
    } catch (Throwable refusal) {
      letGo(false);
      throw refusal;
    }
    return answer.whenComplete((value, refusal) -> letGo(refusal == null));
  }

  private void letGo(boolean accepted) {
    synchronized (state) {
      state.lease().letGo(accepted);
    }
  }

  /** A heartbeat; returns when the lease now ends, if there is one. */
  public Optional<Instant> renewLease() {
    synchronized (state) {
      state.requireLive();
      state.lease().renew();
    }
    return spec.leaseTtl().map(Instant.now()::plus);
  }

  /** Its lease begins now. */
  void beginLease() {
    synchronized (state) {
      state.lease().renew();
    }
  }

  /** Whether nobody works with it, nor has for as long as its lease. Called with the lock. */
  boolean leaseExpired(long now) {
    return !state.isInUse() && readers.isEmpty() && state.lease().isOver(now);
  }

  /** Drops what has waited for too long. */
  void expire(long now) {
    Duration timeout = platform.settings().stepTimeout();
    desk.expire(now, timeout);
    currentUpload().ifPresent(u -> u.expire(now, timeout));
  }

  private Optional<WeightsUpload> currentUpload() {
    synchronized (state) {
      return Optional.ofNullable(upload);
    }
  }

  /** Drops a step or an upload of which something is still to come; false if there is none. */
  boolean dropIncomplete(MuondException reason) {
    boolean incomplete;
    synchronized (state) {
      incomplete = desk.dropIncomplete(reason) || upload != null;
    }
    currentUpload().ifPresent(u -> u.cancel(reason));
    return incomplete;
  }

  boolean isClosed() {
    synchronized (state) {
      return state.isClosed();
    }
  }

  /** Whether a step or an upload is going on. */
  public boolean isWorking() {
    synchronized (state) {
      return state.open() != null || state.isBusy();
    }
  }

  boolean isLost() {
    synchronized (state) {
      return state.isLost();
    }
  }

  /** Refuses everything but its end from now on, if a device of its was lost. */
  void refuseIfLost() {
    Optional<MuondException> loss = shards.loss().map(Refusals::deviceLost);
    if (loss.isPresent() && !isLost()) {
      refuse(loss.get(), state::lose);
    }
  }

  /** Refuses all work from now on. To be called exclusively; nothing is run so any more. */
  void refuse(MuondException reason) {
    freeing = reason;
    refuse(reason, state::close);
  }

  private void refuse(MuondException reason, Consumer<MuondException> note) {
    synchronized (state) {
      note.accept(reason);
    }
    dropIncomplete(reason);
    readers.endAll(reason);
  }

  /**
   * Frees all memory. To be called exclusively, after {@link #refuse}.
   *
   * @param failure to fail with afterwards, or null
   * @return the bytes freed
   */
  CompletableFuture<Long> free(Throwable failure) {
    return shards
        .close()
        .thenCompose(
            freed ->
                failure == null
                    ? CompletableFuture.completedFuture(shards.use().getReservedBytes())
                    : CompletableFuture.failedFuture(failure));
  }
}
