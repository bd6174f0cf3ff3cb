package io.muond.client;

import io.grpc.ClientCall;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.muond.wire.OutgoingMessage;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;

/** Sends requests as fast as the server takes them, for one answer. */
final class Upload<R> implements ClientResponseObserver<OutgoingMessage, R> {
  private final ClientCall<OutgoingMessage, R> call;
  private final Iterator<OutgoingMessage> requests;
  private final Answer<R> answer;
  private boolean halfClosed;

  Upload(ClientCall<OutgoingMessage, R> call, Iterator<OutgoingMessage> requests) {
    this.call = call;
    this.requests = requests;
    this.answer = new Answer<>(call);
  }

  CompletableFuture<R> future() {
    return answer.future();
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<OutgoingMessage> stream) {
    // Runs on the call's executor, one run at a time.
    stream.setOnReadyHandler(() -> send(stream));
  }

  private void send(ClientCallStreamObserver<OutgoingMessage> stream) {
    if (halfClosed || future().isDone()) {
      return;
    }
    while (stream.isReady() && requests.hasNext()) {
      OutgoingMessage message = requests.next();
      stream.onNext(message);
      if (message.failure() != null) {
        future().completeExceptionally(Errors.unreadable(message.failure()));
        call.cancel("the client cannot read its own data", message.failure());
        return;
      }
    }
    if (!requests.hasNext()) {
      halfClosed = true;
      stream.onCompleted();
    }
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
