package io.muond.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;

/**
 * What a call sends: sources, one after the other, each pulled only while the transport takes more,
 * so that a slow client costs no memory. Thread-safe.
 */
final class Outbox<T> {
  /** A chunk of weights may wait while the next is read; more is in the connection. */
  private static final int READY_BYTES = 1 << 20;

  private final ServerCallStreamObserver<T> call;
  private final Runnable onSent;
  private final Deque<Source<T>> sources = new ArrayDeque<>();
  private boolean finishing;
  private Throwable failure;
  private boolean ended;

  /** Messages, in order. */
  interface Source<T> extends AutoCloseable {
    /**
     * Hands the next message over.
     *
     * @return false after the last one, and then there is none
     */
    boolean next(Consumer<T> to);

    /** Whether that is known already; whoever makes it true has the outbox drained. */
    default boolean isReady() {
      return true;
    }

    @Override
    default void close() {}
  }

  /**
   * @param onSent runs when all of a source has been handed over
   */
  Outbox(ServerCallStreamObserver<T> call, Runnable onSent) {
    this.call = call;
    this.onSent = onSent;
    call.setOnReadyThreshold(READY_BYTES);
  }

  /** Sends what {@code source} gives, after everything before it. Closes it. */
  void send(Source<T> source) {
    synchronized (this) {
      if (ended) {
        source.close();
        return;
      }
      sources.add(source);
    }
    drain();
  }

  /** How many sources have not been handed over. */
  synchronized int size() {
    return sources.size();
  }

  /** Ends the call after everything before, with a failure if there is one. */
  void finish(Throwable reason) {
    synchronized (this) {
      finishing = true;
      failure = reason;
    }
    drain();
  }

  /** Sends as much as the transport takes now. */
  void drain() {
    boolean sent;
    synchronized (this) {
      int before = sources.size();
      while (!ended && !sources.isEmpty() && sources.peek().isReady() && call.isReady()) {
        sendNext();
      }
      if (!ended && finishing && sources.isEmpty()) {
        end();
      }
      sent = !ended && sources.size() < before;
    }
    if (sent) {
      onSent.run();
    }
  }

  private void sendNext() {
    try {
      if (!sources.peek().next(call::onNext)) {
        sources.remove().close();
      }
    } catch (Throwable e) {
      failure = e;
      end();
    }
  }

  private void end() {
    cancel();
    if (failure == null) {
      call.onCompleted();
    } else {
      call.onError(Errors.status(failure));
    }
  }

  /** The client is gone. */
  synchronized void cancel() {
    ended = true;
    sources.forEach(Source::close);
    sources.clear();
  }
}
