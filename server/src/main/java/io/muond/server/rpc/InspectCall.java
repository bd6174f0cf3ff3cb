package io.muond.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.muond.server.log.RequestScope;
import io.muond.server.model.Inspection;
import io.muond.v1.InspectModelResponse;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * One InspectModel call. What is computed waits in the outbox, which holds no more than
 * measurements; nothing is computed while its lock, or a thread that serves calls, is held.
 */
final class InspectCall {
  private final Outbox<InspectModelResponse> outbox;
  private Inspection inspection;
  private boolean cancelled;

  InspectCall(ServerCallStreamObserver<InspectModelResponse> call) {
    outbox = new Outbox<>(call, () -> {});
    call.setOnReadyHandler(outbox::drain);
    call.setOnCancelHandler(this::cancel);
  }

  /** Sends what an inspection says. */
  void begin(Supplier<CompletableFuture<Inspection>> begun) {
    CompletableFuture<Inspection> copied;
    try {
      copied = begun.get();
    } catch (Throwable e) {
      outbox.finish(e);
      return;
    }
    RequestScope scope = RequestScope.current();
    var unused =
        copied.whenComplete(
            (value, failure) ->
                scope.run(
                    () -> {
                      if (failure != null) {
                        outbox.finish(failure);
                      } else {
                        send(value, scope);
                      }
                    }));
  }

  private void send(Inspection value, RequestScope scope) {
    note(value);
    value.send(
        message -> outbox.send(new Single<>(message)),
        failure -> scope.run(() -> outbox.finish(failure)));
  }

  private synchronized void note(Inspection begun) {
    inspection = begun;
    if (cancelled) {
      inspection.close();
    }
  }

  private void cancel() {
    synchronized (this) {
      cancelled = true;
      if (inspection != null) {
        inspection.close();
      }
    }
    outbox.cancel();
  }

  /** One message. */
  private static final class Single<T> implements Outbox.Source<T> {
    private T message;

    private Single(T message) {
      this.message = message;
    }

    @Override
    public boolean next(Consumer<T> to) {
      T next = message;
      message = null;
      if (next == null) {
        return false;
      }
      to.accept(next);
      return true;
    }
  }
}
