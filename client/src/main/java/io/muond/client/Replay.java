package io.muond.client;

import io.grpc.Status;
import io.muond.v1.Checkpoint;
import io.muond.v1.CheckpointServiceGrpc;
import io.muond.v1.CommitOptions;
import io.muond.v1.ErrorReason;
import io.muond.v1.GetModelRequest;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.SaveCheckpointRequest;
import io.muond.v1.StepHeader;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * Puts a model back to where its writer had left it: when the server has lost steps to a crash, or
 * a checkpoint to damage, it sends the steps that it keeps again, in order. Equal inputs give equal
 * bits, so that the model is what it was. Where somebody has replaced the weights, or stepped the
 * model since, nothing is sent. Thread-safe.
 */
final class Replay {
  private final Connection connection;
  private final Position position;
  private final StepSender sender;
  private final ReplayLog log;
  private CompletableFuture<Void> recovering = CompletableFuture.completedFuture(null);

  /**
   * @param log of the steps that can be sent again; null: none can
   */
  Replay(Connection connection, Position position, StepSender sender, ReplayLog log) {
    this.connection = connection;
    this.position = position;
    this.sender = sender;
    this.log = log;
  }

  /** The steps that can be sent again; null if none are kept. */
  ReplayLog log() {
    return log;
  }

  boolean isOn() {
    return log != null;
  }

  /** Nothing can be put back: the model's history is not what this writer knows. */
  static final class LostException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final MuondException failure;

    private LostException(MuondException failure) {
      super(failure);
      this.failure = failure;
    }

    /** What the caller is to be told. */
    MuondException failure() {
      return failure;
    }
  }

  /** Completes when no recovery is going on, well or not. */
  synchronized CompletableFuture<Void> settled() {
    return recovering.handle((done, failure) -> null);
  }

  /**
   * Puts the model back; one recovery serves all who ask meanwhile.
   *
   * @param seen what told that this is needed
   * @return fails with a {@link LostException} if it cannot be put back
   */
  synchronized CompletableFuture<Void> recover(MuondException seen) {
    if (recovering.isDone()) {
      GetModelRequest request =
          GetModelRequest.newBuilder().setModel(position.model().getName()).build();
      recovering =
          connection
              .unary(ModelServiceGrpc.getGetModelMethod(), request, Retrier.Safety.REPEATABLE)
              .thenCompose(answer -> replay(answer.getModel(), seen));
    }
    // Whoever cancels the copy leaves the others theirs.
    return recovering.copy();
  }

  private CompletableFuture<Void> replay(Model now, MuondException seen) {
    Model before = position.model();
    long committed = now.getCommittedStep();
    boolean same = now.getIncarnation().equals(before.getIncarnation());
    boolean replaced = now.getOrigin().isEmpty() || !now.getOrigin().equals(before.getOrigin());
    boolean steppedByOthers = !same && committed != now.getIncarnationStep();
    boolean nothingLost = same && committed + 1 >= position.nextStep();
    if (replaced || steppedByOthers || nothingLost || committed > position.lastSent()) {
      return CompletableFuture.failedFuture(new LostException(seen));
    }
    List<KeptStep> undone =
        log.between(committed + 1, position.nextStep() - 1).orElseThrow(() -> notKept(now, seen));
    position.rejoin(now);
    CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
    for (KeptStep step : undone) {
      all = all.thenCompose(done -> again(step, now.getIncarnation()));
    }
    return all;
  }

  private CompletableFuture<Void> again(KeptStep step, String incarnation) {
    return sender
        .send(
            step.header().toBuilder().setIncarnation(incarnation).build(),
            step.options(),
            step.gradients())
        .thenAccept(result -> log.saved(result.durableStep(), result.fallbackStep()));
  }

  private LostException notKept(Model now, MuondException seen) {
    return new LostException(
        seen.withMessage(
            "%s; it went back to step %d, and the steps from there to %d are not all kept here"
                    .formatted(seen.getMessage(), now.getCommittedStep(), position.nextStep() - 1)
                + " (replay limit: %d bytes)".formatted(log.limit())));
  }

  /** The answer to a step, once that is kept or durable. */
  CompletableFuture<StepResult> keeping(
      CompletableFuture<StepResult> answer,
      PendingStep step,
      StepHeader header,
      CommitOptions options) {
    return Futures.after(
        answer,
        answer
            .thenCompose(result -> secured(result, step))
            .thenApply(
                result -> {
                  committed(result, step, header, options);
                  return result;
                }));
  }

  private void committed(
      StepResult result, PendingStep step, StepHeader header, CommitOptions options) {
    if (isOn()) {
      step.committed(header, options).ifPresentOrElse(log::add, log::clear);
      log.saved(result.durableStep(), result.fallbackStep());
    }
    position.committed(header.getStep());
  }

  /** The model's weights are others from now on, or are seen anew. */
  void forget() {
    if (isOn()) {
      log.clear();
    }
  }

  /** Runs {@code call} once there is room for the step, by a checkpoint if need be. */
  <T> CompletableFuture<T> withRoom(PendingStep step, Supplier<CompletableFuture<T>> call) {
    if (!step.fits() || log.makeRoom(step.bytes())) {
      return call.get();
    }
    return saveCheckpoint(position.nextStep() - 1, "is not sent")
        .thenCompose(
            saved -> {
              log.makeRoom(step.bytes());
              return call.get();
            });
  }

  /** Whether both steps can be kept, so that the second need not wait for the first. */
  boolean hasRoom(PendingStep running, PendingStep next) {
    return !isOn()
        || (running.fits() && next.fits() && log.makeRoom(running.bytes() + next.bytes()));
  }

  /**
   * A step that the log cannot keep is answered once it is in a checkpoint: until then its
   * gradients are there to be sent again.
   */
  private CompletableFuture<StepResult> secured(StepResult result, PendingStep step) {
    long number = result.report().getStep();
    step.copy();
    return !isOn() || step.fits() || result.durableStep().orElse(-1) >= number
        ? CompletableFuture.completedFuture(result)
        : saveCheckpoint(number, "is committed, but not durable").thenApply(saved -> result);
  }

  /**
   * @param step that must be in the checkpoint
   * @param otherwise what is true of the next step without it
   */
  private CompletableFuture<Void> saveCheckpoint(long step, String otherwise) {
    SaveCheckpointRequest request =
        SaveCheckpointRequest.newBuilder()
            .setModel(position.model().getName())
            .setPrunable(true)
            .build();
    return connection
        .unary(CheckpointServiceGrpc.getSaveCheckpointMethod(), request, Retrier.Safety.REPEATABLE)
        .handle(
            (answer, failure) -> {
              if (failure != null) {
                throw pastLimit(Errors.of(failure), otherwise);
              }
              saved(answer.getCheckpoint(), step);
              return null;
            });
  }

  private void saved(Checkpoint checkpoint, long step) {
    if (checkpoint.getStep() < step
        || !checkpoint.getIncarnation().equals(position.model().getIncarnation())) {
      throw rolledBack("a checkpoint is of step " + checkpoint.getStep());
    }
    log.saved(checkpoint.getStep());
  }

  private MuondException pastLimit(MuondException failure, String otherwise) {
    if (!failure.is(ErrorReason.NO_DATA_DIRECTORY) && !failure.is(ErrorReason.STORAGE_FAILED)) {
      return failure;
    }
    OptionalLong durable = log.durableStep();
    String last =
        durable.isPresent() ? "the durable step " + durable.getAsLong() : "the first step";
    return failure.withMessage(
        "step %d %s: it cannot be kept beside the steps since %s within the replay limit of %d bytes,"
                .formatted(position.nextStep(), otherwise, last, log.limit())
            + " and no checkpoint can be written: "
            + failure.getMessage());
  }

  /** What was seen of the model is not what it was left at. */
  static MuondException rolledBack(String seen) {
    return new MuondException(
        Status.Code.ABORTED,
        ErrorReason.MODEL_REWOUND.name(),
        seen + ": the model's history changed",
        Map.of(),
        null);
  }
}
