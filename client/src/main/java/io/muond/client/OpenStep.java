package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.muond.v1.AbortStepRequest;
import io.muond.v1.AbortStepResponse;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.CommitStepResponse;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.StepHeader;
import io.muond.v1.StepServiceGrpc;
import io.muond.wire.ChunkedMessage;
import io.muond.wire.OutgoingMessage;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.ToLongFunction;

/**
 * A step that is open on the server: gradients can be sent as they come, before the learning rate
 * is known. Made by {@link ModelHandle#openStep}. Keep the gradients until the commit is answered.
 * Every call may be repeated safely, and is while the server is away.
 */
public final class OpenStep {
  private final Connection connection;
  private final StepHeader header;
  private final ToLongFunction<StepOptions> answerBytes;
  private final Consumer<StepResult> committed;

  OpenStep(
      Connection connection,
      StepHeader header,
      ToLongFunction<StepOptions> answerBytes,
      Consumer<StepResult> committed) {
    this.connection = connection;
    this.header = header;
    this.answerBytes = answerBytes;
    this.committed = committed;
  }

  /** The step's number. */
  public long number() {
    return header.getStep();
  }

  /** Sends gradients of some parameters; several calls may run at a time. */
  public FillStepResponse fill(Map<String, ? extends TensorData> gradients) {
    return Futures.await(fillAsync(gradients));
  }

  /** As {@link #fill}, without waiting. */
  public CompletableFuture<FillStepResponse> fillAsync(
      Map<String, ? extends TensorData> gradients) {
    requireNonNull(gradients, "gradients is null");
    return connection.upload(
        TensorMethods.FILL_STEP,
        () -> new FillRequests(header, new Chunker(gradients, connection.settings().chunkSize())),
        Retrier.Safety.REPEATABLE);
  }

  /** Commits the step and waits for the report. */
  public StepResult commit(StepOptions options) {
    return Futures.await(commitAsync(options));
  }

  /** As {@link #commit}, without waiting. */
  public CompletableFuture<StepResult> commitAsync(StepOptions options) {
    CommitStepRequest request =
        CommitStepRequest.newBuilder().setHeader(header).setOptions(options.toProto()).build();
    long bytes = answerBytes.applyAsLong(options);
    return connection
        .download(
            TensorMethods.COMMIT_STEP, request, () -> new CommitReader(new StepCollector(bytes)))
        .thenApply(
            result -> {
              committed.accept(result);
              return result;
            });
  }

  /** Drops the step, of all workers: the weights stay as they are. */
  public AbortStepResponse abort() {
    AbortStepRequest request = AbortStepRequest.newBuilder().setHeader(header).build();
    return Futures.await(
        connection.unary(StepServiceGrpc.getAbortStepMethod(), request, Retrier.Safety.REPEATABLE));
  }

  /** Gathers the answer to a commit. */
  private record CommitReader(StepCollector collector)
      implements Connection.Reader<ChunkedMessage<CommitStepResponse>, StepResult> {
    @Override
    public void accept(ChunkedMessage<CommitStepResponse> message) {
      if (message.envelope().hasReport()) {
        collector.report(message.envelope().getReport());
      }
      message.forEachChunk(collector::chunk);
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
