package io.muond.client;

import io.grpc.ClientCall;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;

/** Sends requests as fast as the server takes them, for one answer. */
final class Upload<Q, R> implements ClientResponseObserver<Q, R> {
  private final ClientCall<Q, R> call;
  private final Iterator<Q> requests;
  private final Answer<R> answer;
  private boolean halfClosed;

  Upload(ClientCall<Q, R> call, Iterator<Q> requests) {
    this.call = call;
    this.requests = requests;
    this.answer = new Answer<>(call);
  }

  CompletableFuture<R> future() {
    return answer.future();
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<Q> stream) {
    // Runs on the call's executor, one run at a time.
    stream.setOnReadyHandler(() -> send(stream));
  }

  private void send(ClientCallStreamObserver<Q> stream) {
    if (halfClosed || future().isDone()) {
      return;
    }
    try {
      while (stream.isReady() && requests.hasNext()) {
        stream.onNext(requests.next());
      }
      if (!requests.hasNext()) {
        halfClosed = true;
        stream.onCompleted();
      }
    } catch (UncheckedIOException e) {
      future().completeExceptionally(Errors.local("cannot read what is to be sent: " + text(e), e));
      call.cancel("the client cannot read its own data", e);
    }
  }

  private static String text(UncheckedIOException failure) {
    return failure.getCause().getMessage();
  }

  @Override
  public void onNext(R value) {
    answer.onNext(value);
  }

  @Override
  public void onError(Throwable failure) {
    answer.onError(failure);
  }

  @Override
  public void onCompleted() {
    answer.onCompleted();
  }
}
