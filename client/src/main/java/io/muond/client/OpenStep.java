package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.muond.v1.AbortStepRequest;
import io.muond.v1.AbortStepResponse;
import io.muond.v1.CommitOptions;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.CommitStepResponse;
import io.muond.v1.ErrorReason;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.OpenStepResponse;
import io.muond.v1.StepHeader;
import io.muond.v1.StepServiceGrpc;
import io.muond.wire.ChunkedMessage;
import io.muond.wire.OutgoingMessage;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * A step that is open on the server: gradients can be sent as they come, before the learning rate
 * is known. Made by {@link ModelHandle#openStep}. Keep the gradients, unchanged, until the commit
 * is answered. Every call may be repeated safely, and is while the server is away. If the model's
 * steps are kept for a replay (see {@link MuondClient.Builder#replayLimit}), a step that the server
 * does not know any more, after a restart, is opened and filled again.
 */
public final class OpenStep {
  private final Connection connection;
  private final StepSender sender;
  private final Position position;
  private final Replay replay;
  private final PendingStep pending;

  /** The step that was running when this one was opened; null if none was. */
  private final Position.Turn before;

  private final long number;
  private Opening opening;
  private CompletableFuture<Void> reopening = CompletableFuture.completedFuture(null);
  private volatile boolean aborted;

  OpenStep(Connection connection, StepSender sender, Position position, Replay replay) {
    this.connection = connection;
    this.sender = sender;
    this.position = position;
    this.replay = replay;
    this.pending = new PendingStep(replay.log());
    this.before = position.openBehind();
    this.opening =
        new Opening(before == null ? position.header() : position.header(before.number() + 1), 1);
    this.number = opening.header().getStep();
  }

  /**
   * The step as it was opened.
   *
   * @param times how often, by which failures of an earlier time are told from later ones
   */
  private record Opening(StepHeader header, int times) {}

  /** Opens it. */
  CompletableFuture<OpenStep> openAsync() {
    return before == null
        ? callToOpen()
        : Futures.thenWhatever(
            callToOpen(),
            (step, failure) -> {
              if (failure == null) {
                return CompletableFuture.completedFuture(step);
              }
              // The call may have overtaken the one that opens the step before.
              return Errors.of(failure).is(ErrorReason.STEP_GAP)
                  ? before.committed().thenCompose(done -> callToOpen())
                  : CompletableFuture.failedFuture(failure);
            });
  }

  private CompletableFuture<OpenStep> callToOpen() {
    return new Call<OpenStep>() {
      @Override
      CompletableFuture<OpenStep> attempt(StepHeader opened) {
        CompletableFuture<OpenStepResponse> answer = open(opened);
        return Futures.after(answer, answer.thenApply(done -> OpenStep.this));
      }
    }.start();
  }

  private CompletableFuture<OpenStepResponse> open(StepHeader opened) {
    OpenStepRequest request = OpenStepRequest.newBuilder().setHeader(opened).build();
    return connection.unary(
        StepServiceGrpc.getOpenStepMethod(), request, Retrier.Safety.REPEATABLE);
  }

  /** The step's number. */
  public long number() {
    return number;
  }

  /** Sends gradients of some parameters; several calls may run at a time. */
  public FillStepResponse fill(Map<String, ? extends TensorData> gradients) {
    return Futures.await(fillAsync(gradients));
  }

  /** As {@link #fill}, without waiting. */
  public CompletableFuture<FillStepResponse> fillAsync(
      Map<String, ? extends TensorData> gradients) {
    requireNonNull(gradients, "gradients is null");
    pending.put(gradients);
    return new Call<FillStepResponse>() {
      @Override
      CompletableFuture<FillStepResponse> attempt(StepHeader opened) {
        return fill(opened, gradients);
      }
    }.start();
  }

  private CompletableFuture<FillStepResponse> fill(
      StepHeader opened, Map<String, ? extends TensorData> gradients) {
    return connection.upload(
        TensorMethods.FILL_STEP,
        () -> new FillRequests(opened, new Chunker(gradients, connection.settings().chunkSize())),
        Retrier.Safety.REPEATABLE);
  }

  /** Commits the step and waits for the report. */
  public StepResult commit(StepOptions options) {
    return Futures.await(commitAsync(options));
  }

  /** As {@link #commit}, without waiting. */
  public CompletableFuture<StepResult> commitAsync(StepOptions options) {
    CommitOptions message = options.toProto();
    Call<StepResult> call =
        new Call<>() {
          @Override
          CompletableFuture<StepResult> attempt(StepHeader opened) {
            return replay.keeping(
                replay.withRoom(pending, () -> commit(opened, message)), pending, opened, message);
          }
        };
    Position.Turn turn = position.begin(pending);
    return turn.around(
        before == null
            ? call.start()
            : Futures.thenWhatever(
                before.committed(),
                (done, refusal) ->
                    refusal == null ? call.start() : CompletableFuture.failedFuture(refusal)));
  }

  private CompletableFuture<StepResult> commit(StepHeader opened, CommitOptions options) {
    CommitStepRequest request =
        CommitStepRequest.newBuilder().setHeader(opened).setOptions(options).build();
    long bytes = sender.answerBytes(options);
    CompletableFuture<StepResult> answer =
        connection.download(
            TensorMethods.COMMIT_STEP,
            request,
            () -> new CommitReader(new StepCollector(number, bytes)));
    // The server computes meanwhile.
    pending.copy();
    return answer;
  }

  /** Drops the step, of all workers: the weights stay as they are. */
  public AbortStepResponse abort() {
    aborted = true;
    AbortStepRequest request = AbortStepRequest.newBuilder().setHeader(opening().header()).build();
    return Futures.await(
        connection.unary(StepServiceGrpc.getAbortStepMethod(), request, Retrier.Safety.REPEATABLE));
  }

  private synchronized Opening opening() {
    return opening;
  }

  /**
   * Opens the step again, with what was filled so far; one that does so serves all calls.
   *
   * @param failed as it was when a call failed
   */
  private synchronized CompletableFuture<Void> reopen(Opening failed) {
    if (failed.equals(opening) && reopening.isDone()) {
      StepHeader opened =
          failed.header().toBuilder().setIncarnation(position.model().getIncarnation()).build();
      opening = new Opening(opened, failed.times() + 1);
      // Two must not read the caller's tensors at a time.
      pending.copy();
      Map<String, ? extends TensorData> filled = pending.gradients();
      reopening =
          open(opened)
              .thenCompose(
                  answer ->
                      filled.isEmpty()
                          ? CompletableFuture.completedFuture(null)
                          : fill(opened, filled).thenApply(all -> null));
    }
    return reopening.copy();
  }

  /** A call for this step. */
  private abstract class Call<T> extends Recovering<T> {
    private volatile Opening used;

    Call() {
      super(replay);
    }

    abstract CompletableFuture<T> attempt(StepHeader opened);

    @Override
    final CompletableFuture<T> attempt() {
      used = opening();
      return attempt(used.header());
    }

    @Override
    boolean tellsOfLoss(MuondException failure) {
      return !aborted && (super.tellsOfLoss(failure) || failure.is(ErrorReason.STEP_NOT_OPEN));
    }

    @Override
    CompletableFuture<Void> recover(MuondException seen) {
      Opening failed = used;
      CompletableFuture<Void> turn =
          before == null ? CompletableFuture.completedFuture(null) : before.committed();
      return turn.thenCompose(done -> back(seen))
          .thenCompose(done -> reopen(failed))
          .whenComplete((done, failure) -> used = opening());
    }

    private CompletableFuture<Void> back(MuondException seen) {
      if (position.wasPutBack(used.header().getIncarnation())) {
        // Or is being put back now, for another call.
        return replay.settled();
      }
      return seen.is(ErrorReason.STEP_NOT_OPEN) || !used.equals(opening())
          ? CompletableFuture.completedFuture(null)
          : super.recover(seen);
    }
  }

  /** Gathers the answer to a commit. */
  private record CommitReader(StepCollector collector)
      implements Connection.Reader<ChunkedMessage<CommitStepResponse>, StepResult> {
    @Override
    public void accept(ChunkedMessage<CommitStepResponse> message) {
      if (message.envelope().hasReport()) {
        collector.report(message.envelope().getReport());
      }
      boolean provisional = message.envelope().getProvisional();
      message.forEachChunk(chunk -> collector.chunk(chunk, provisional));
    }

    @Override
    public StepResult finish() {
      return collector.result();
    }
  }

  /** The messages of a stream of gradients; only the first has the header. */
  private static final class FillRequests implements Iterator<OutgoingMessage> {
    private final StepHeader header;
    private final Chunker chunks;
    private boolean opened;

    FillRequests(StepHeader header, Chunker chunks) {
      this.header = header;
      this.chunks = chunks;
    }

    @Override
    public boolean hasNext() {
      return chunks.hasNext();
    }

    @Override
    public OutgoingMessage next() {
      FillStepRequest envelope =
          opened
              ? FillStepRequest.getDefaultInstance()
              : FillStepRequest.newBuilder().setHeader(header).build();
      opened = true;
      return new OutgoingMessage(envelope, chunks.next());
    }
  }
}
