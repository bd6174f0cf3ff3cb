package io.muond.client;

import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.muond.v1.StepResponse;
import io.muond.wire.ChunkedMessage;
import io.muond.wire.OutgoingMessage;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * One Step call over which steps follow each other: one at a time, or, where the model's steps
 * overlap, the next behind the one that is not answered yet. When it ends, for whatever reason, it
 * is done with: the next step needs another. Thread-safe.
 */
final class StepStream
    implements ClientResponseObserver<OutgoingMessage, ChunkedMessage<StepResponse>> {
  private ClientCallStreamObserver<OutgoingMessage> call;

  /** Steps that are not answered, in order. */
  private final Deque<Flight> flights = new ArrayDeque<>();

  private boolean ended;
  private MuondException reason = Errors.of(Status.Code.UNAVAILABLE, "the stream of steps ended");

  /** A step on its way. */
  private record Flight(
      Iterator<OutgoingMessage> outgoing,
      StepCollector collector,
      CompletableFuture<StepResult> answer) {}

  @Override
  public void beforeStart(ClientCallStreamObserver<OutgoingMessage> stream) {
    call = stream;
    stream.setOnReadyHandler(this::send);
  }

  /** Sends a step; fails if the one before has not been answered. */
  CompletableFuture<StepResult> step(Iterator<OutgoingMessage> requests, StepCollector into) {
    return step(new Flight(requests, into, new CompletableFuture<>()), false);
  }

  /** Sends a step behind the one before, which is on its way; fails if it is not. */
  CompletableFuture<StepResult> stepBehind(Iterator<OutgoingMessage> requests, StepCollector into) {
    return step(new Flight(requests, into, new CompletableFuture<>()), true);
  }

  private CompletableFuture<StepResult> step(Flight flight, boolean behind) {
    synchronized (this) {
      boolean inTurn =
          behind
              ? flights.size() == 1
                  && flights.peek().collector.step() == flight.collector.step() - 1
              : flights.isEmpty();
      // A step that is being cancelled takes the stream with it.
      if (ended || !inTurn) {
        return CompletableFuture.failedFuture(reason);
      }
      flights.add(flight);
    }
    Futures.whenCancelled(flight.answer, () -> cancel(flight));
    send();
    return flight.answer;
  }

  private void cancel(Flight step) {
    List<Flight> others;
    synchronized (this) {
      if (!flights.remove(step)) {
        return;
      }
      others = end();
    }
    call.cancel("cancelled by the caller", null);
    fail(others, reason);
  }

  /** Whether no further step can be sent. */
  synchronized boolean ended() {
    return ended;
  }

  /** Ends the call: quietly if it is idle, otherwise the steps in flight fail. */
  void close() {
    List<Flight> open = end();
    if (open.isEmpty()) {
      call.onCompleted();
    } else {
      call.cancel("the model's handle was closed", null);
      fail(open, Errors.of(Status.Code.CANCELLED, "the model's handle was closed during a step"));
    }
  }

  private void send() {
    Unreadable unreadable;
    List<Flight> open;
    synchronized (this) {
      unreadable = ended ? null : sendReady();
      if (unreadable == null) {
        return;
      }
      // gRPC has ended the call by now, for its own words.
      flights.remove(unreadable.step);
      open = end();
    }
    call.cancel("the client cannot read its own data", unreadable.cause);
    fail(open, reason);
    unreadable.step.answer.completeExceptionally(Errors.unreadable(unreadable.cause));
  }

  /** A step that cannot be sent. */
  private record Unreadable(Flight step, Throwable cause) {}

  /** Sends what the transport takes; returns the step of which a tensor cannot be read, or null. */
  private Unreadable sendReady() {
    for (Flight flight : flights) {
      while (flight.outgoing.hasNext()) {
        if (!call.isReady()) {
          return null;
        }
        OutgoingMessage message = flight.outgoing.next();
        call.onNext(message);
        if (message.failure() != null) {
          return new Unreadable(flight, message.failure());
        }
      }
    }
    return null;
  }

  @Override
  public void onNext(ChunkedMessage<StepResponse> message) {
    Flight done;
    try {
      done = take(message);
    } catch (MuondException e) {
      List<Flight> open = end();
      call.cancel(e.getMessage(), e);
      fail(open, e);
      return;
    }
    if (done != null) {
      done.answer.complete(done.collector.result());
    }
  }

  /** The step that this message completes, or null. */
  private synchronized Flight take(ChunkedMessage<StepResponse> message) {
    Flight first = flights.peek();
    if (first == null) {
      throw Errors.of(Status.Code.INTERNAL, "the server answered a step that was not sent");
    }
    if (message.envelope().hasReport()) {
      first.collector.report(message.envelope().getReport());
    }
    boolean provisional = message.envelope().getProvisional();
    message.forEachChunk(chunk -> first.collector.chunk(chunk, provisional));
    return first.collector.complete() ? flights.remove() : null;
  }

  @Override
  public void onError(Throwable failure) {
    MuondException known = Errors.of(failure);
    List<Flight> open;
    synchronized (this) {
      reason = known;
      open = end();
    }
    fail(open, known);
  }

  @Override
  public void onCompleted() {
    fail(end(), Errors.of(Status.Code.UNAVAILABLE, "the server ended the stream of steps"));
  }

  private static void fail(List<Flight> open, MuondException failure) {
    for (Flight flight : open) {
      flight.answer.completeExceptionally(failure);
    }
  }

  /** Ends the stream; returns the steps in flight. */
  private synchronized List<Flight> end() {
    List<Flight> open = List.copyOf(flights);
    ended = true;
    flights.clear();
    return open;
  }
}
