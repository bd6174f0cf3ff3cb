package io.muond.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.muond.server.model.Committed;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.MuondException;
import io.muond.server.model.Refusals;
import io.muond.server.model.StepWriter;
import io.muond.server.model.WeightsReader;
import io.muond.v1.CommitOptions;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.wire.ChunkedMessage;
import io.muond.wire.OutgoingMessage;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * A Step call. The next message is asked for only when the one before has been staged, so that a
 * call never holds more than one; after a commit, when that has been answered, or, where steps
 * overlap, when no more than one waits for its answer.
 */
final class StepCall implements StreamObserver<ChunkedMessage<StepRequest>> {
  private final ModelRegistry models;
  private final Executor executor;
  private final ServerCallStreamObserver<OutgoingMessage> call;
  private final Outbox<OutgoingMessage> outbox;
  private final Consumer<StepCall> onEnd;
  private StepWriter writer;
  private Runnable forget = () -> {};

  /** A message is being worked on. */
  private boolean working;

  /** A message has been asked for. */
  private boolean asked;

  /** How many steps may wait for their answers while another is filled. */
  private int mostUnanswered;

  private boolean halfClosed;
  private boolean ended;

  /**
   * @param onEnd is told when the call has ended
   */
  StepCall(
      ModelRegistry models,
      Executor executor,
      StreamObserver<OutgoingMessage> responses,
      Consumer<StepCall> onEnd) {
    this.onEnd = onEnd;
    this.models = models;
    this.executor = executor;
    this.call = (ServerCallStreamObserver<OutgoingMessage>) responses;
    this.outbox = new Outbox<>(call, this::proceed);
    call.disableAutoRequest();
    call.setOnReadyHandler(outbox::drain);
    call.setOnCancelHandler(this::cancel);
    call.setOnCloseHandler(this::cancel);
    proceed();
  }

  @Override
  public synchronized void onNext(ChunkedMessage<StepRequest> message) {
    if (ended) {
      return;
    }
    working = true;
    asked = false;
    attempt(
        () -> {
          if (message.envelope().hasOpen()) {
            open(message);
          } else {
            fill(message);
          }
        });
  }

  private void open(ChunkedMessage<StepRequest> message) {
    if (writer != null) {
      throw Refusals.malformedCall("open", "a step", "a commit of the open step first");
    }
    StepHeader header = message.envelope().getOpen();
    CompletableFuture<StepWriter> open = models.get(header.getModel()).open(header, this);
    boolean waits = !open.isDone();
    if (waits) {
      message.detach();
    }
    then(
        open,
        (opened, failure) -> {
          try {
            opened(opened, failure, message);
          } finally {
            if (waits) {
              message.close();
            }
          }
        });
  }

  private void opened(StepWriter opened, Throwable failure, ChunkedMessage<StepRequest> message) {
    if (failure != null) {
      fail(failure);
    } else if (ended) {
      opened.leave(this, null);
    } else {
      writer = opened;
      mostUnanswered = opened.overlaps() ? 1 : 0;
      forget = opened.onDrop(executor, reason -> dropped(opened, reason));
      attempt(() -> fill(message));
    }
  }

  /** The step is gone: the client is told, whether it sends more or not. */
  private synchronized void dropped(StepWriter which, MuondException reason) {
    if (writer == which && !ended) {
      fail(reason);
    }
  }

  private void fill(ChunkedMessage<StepRequest> message) {
    if (writer == null) {
      throw Refusals.malformedCall("open", "absent", "the step's header, in the first message");
    }
    message.forEachChunk(writer::stage);
    if (message.envelope().hasCommit()) {
      commit(message.envelope().getCommit());
    }
    working = false;
    proceed();
  }

  private void commit(CommitOptions options) {
    StepAnswer answer = new StepAnswer(StepAnswer.Kind.STEP);
    CompletableFuture<Committed> committed =
        writer.commit(options, weights -> early(answer, weights));
    writer = null;
    forget.run();
    // Here, so that answers keep the order of the steps.
    outbox.send(answer);
    then(committed, (result, refusal) -> settle(answer, result, refusal));
  }

  private void early(StepAnswer answer, WeightsReader weights) {
    weights.onMore(() -> executor.execute(outbox::drain));
    answer.begin(weights);
  }

  private void settle(StepAnswer answer, Committed committed, Throwable refusal) {
    answer.settle(committed, refusal);
    if (refusal != null && !ended) {
      leave(refusal);
    }
    outbox.drain();
  }

  /** On to the next message, if it is time for it, or to the end. */
  private synchronized void proceed() {
    if (ended || working) {
      return;
    }
    int unanswered = outbox.size();
    if (halfClosed && unanswered == 0) {
      conclude();
    } else if (!halfClosed && !asked && unanswered <= mostUnanswered) {
      asked = true;
      call.request(1);
    }
  }

  private void conclude() {
    if (writer == null) {
      leave(null);
      outbox.finish(null);
    } else {
      fail(Refusals.malformedCall("commit", "absent", "the commit, in the step's last message"));
    }
  }

  @Override
  public synchronized void onCompleted() {
    halfClosed = true;
    proceed();
  }

  @Override
  public void onError(Throwable cancelled) {
    cancel();
  }

  private synchronized void cancel() {
    leave(null);
    outbox.cancel();
  }

  /** Ends the call if it is between two steps. */
  synchronized void endIfIdle(MuondException reason) {
    if (!working && writer == null && outbox.size() == 0 && !ended) {
      fail(reason);
    }
  }

  /** Ends the call once what was committed before is answered. */
  private void fail(Throwable failure) {
    if (!ended) {
      leave(failure);
      outbox.finish(failure);
    }
  }

  /**
   * @param failure that ends the call, or null
   */
  private void leave(Throwable failure) {
    ended = true;
    onEnd.accept(this);
    if (writer != null) {
      StepWriter left = writer;
      writer = null;
      forget.run();
      left.leave(this, failure);
    }
  }

  private synchronized void attempt(Runnable work) {
    try {
      work.run();
    } catch (Throwable e) {
      fail(e);
    }
  }

  private <T> void then(CompletableFuture<T> future, BiConsumer<T, Throwable> action) {
    BiConsumer<T, Throwable> attempted =
        (value, failure) -> attempt(() -> action.accept(value, failure));
    if (future.isDone()) {
      var unused = future.whenComplete(attempted);
    } else {
      var unused = future.whenCompleteAsync(attempted, executor);
    }
  }
}
