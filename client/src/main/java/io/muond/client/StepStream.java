package io.muond.client;

import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.muond.v1.StepResponse;
import io.muond.wire.ChunkedMessage;
import io.muond.wire.OutgoingMessage;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;

/**
 * One Step call over which steps follow each other, one at a time. When it ends, for whatever
 * reason, it is done with: the next step needs another.
 */
final class StepStream
    implements ClientResponseObserver<OutgoingMessage, ChunkedMessage<StepResponse>> {
  private ClientCallStreamObserver<OutgoingMessage> call;
  private Iterator<OutgoingMessage> outgoing;
  private StepCollector collector;
  private CompletableFuture<StepResult> answer;
  private boolean ended;
  private MuondException reason = Errors.of(Status.Code.UNAVAILABLE, "the stream of steps ended");

  @Override
  public void beforeStart(ClientCallStreamObserver<OutgoingMessage> stream) {
    call = stream;
    stream.setOnReadyHandler(this::send);
  }

  /** Sends a step; the one before must have been answered. */
  CompletableFuture<StepResult> step(Iterator<OutgoingMessage> requests, StepCollector into) {
    CompletableFuture<StepResult> future = new CompletableFuture<>();
    synchronized (this) {
      // A step that is being cancelled takes the stream with it.
      if (ended || answer != null) {
        return CompletableFuture.failedFuture(reason);
      }
      outgoing = requests;
      collector = into;
      answer = future;
    }
    Futures.whenCancelled(future, () -> cancel(future));
    send();
    return future;
  }

  private void cancel(CompletableFuture<StepResult> step) {
    synchronized (this) {
      if (answer != step) {
        return;
      }
      markEnded();
    }
    call.cancel("cancelled by the caller", null);
  }

  /** Whether no further step can be sent. */
  synchronized boolean ended() {
    return ended;
  }

  /** Ends the call: quietly if it is idle, otherwise the step in flight fails. */
  void close() {
    CompletableFuture<StepResult> open = end();
    if (open == null) {
      call.onCompleted();
    } else {
      call.cancel("the model's handle was closed", null);
      open.completeExceptionally(
          Errors.of(Status.Code.CANCELLED, "the model's handle was closed during a step"));
    }
  }

  private void send() {
    Throwable failure;
    CompletableFuture<StepResult> open;
    synchronized (this) {
      failure = sendReady();
      if (failure == null) {
        return;
      }
      // gRPC has ended the call by now, for its own words.
      open = end();
    }
    call.cancel("the client cannot read its own data", failure);
    if (open != null) {
      open.completeExceptionally(Errors.unreadable(failure));
    }
  }

  /** Returns why a tensor could not be read, or null. */
  private Throwable sendReady() {
    if (ended || outgoing == null) {
      return null;
    }
    while (outgoing.hasNext() && call.isReady()) {
      OutgoingMessage message = outgoing.next();
      call.onNext(message);
      if (message.failure() != null) {
        return message.failure();
      }
    }
    if (!outgoing.hasNext()) {
      outgoing = null;
    }
    return null;
  }

  @Override
  public void onNext(ChunkedMessage<StepResponse> message) {
    try {
      CompletableFuture<StepResult> done = take(message);
      if (done != null) {
        done.complete(collector.result());
      }
    } catch (MuondException e) {
      fail(e);
    }
  }

  /** The step's future if this message completes it. */
  private synchronized CompletableFuture<StepResult> take(ChunkedMessage<StepResponse> message) {
    if (answer == null) {
      throw Errors.of(Status.Code.INTERNAL, "the server answered a step that was not sent");
    }
    if (message.envelope().hasReport()) {
      collector.report(message.envelope().getReport());
    }
    message.forEachChunk(collector::chunk);
    if (!collector.complete()) {
      return null;
    }
    CompletableFuture<StepResult> done = answer;
    answer = null;
    return done;
  }

  @Override
  public void onError(Throwable failure) {
    MuondException known = Errors.of(failure);
    CompletableFuture<StepResult> open;
    synchronized (this) {
      reason = known;
      open = end();
    }
    if (open != null) {
      open.completeExceptionally(known);
    }
  }

  @Override
  public void onCompleted() {
    CompletableFuture<StepResult> open = end();
    if (open != null) {
      open.completeExceptionally(
          Errors.of(Status.Code.UNAVAILABLE, "the server ended the stream of steps"));
    }
  }

  private void fail(MuondException failure) {
    CompletableFuture<StepResult> open = end();
    call.cancel(failure.getMessage(), failure);
    if (open != null) {
      open.completeExceptionally(failure);
    }
  }

  /** Ends the stream; the future of the step in flight, or null. */
  private synchronized CompletableFuture<StepResult> end() {
    CompletableFuture<StepResult> open = answer;
    markEnded();
    return open;
  }

  private synchronized void markEnded() {
    ended = true;
    answer = null;
    outgoing = null;
  }
}
