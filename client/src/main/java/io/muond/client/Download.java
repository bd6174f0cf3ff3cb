package io.muond.client;

import io.grpc.ClientCall;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;

/** Hands a stream of answers to a reader; the next is asked for when it is done with one. */
final class Download<R, T> implements StreamObserver<R> {
  private final ClientCall<?, ?> call;
  private final Connection.Reader<R, T> reader;
  private final CompletableFuture<T> future;

  Download(ClientCall<?, ?> call, Connection.Reader<R, T> reader) {
    this.call = call;
    this.reader = reader;
    this.future = Answer.cancelling(call);
  }

  CompletableFuture<T> future() {
    return future;
  }

  @Override
  public void onNext(R message) {
    if (future.isDone()) {
      return;
    }
    try {
      reader.accept(message);
    } catch (IOException | RuntimeException e) {
      fail(e);
    }
  }

  private void fail(Exception e) {
    future.completeExceptionally(
        e instanceof MuondException known
            ? known
            : Errors.local("cannot store what was read: " + e.getMessage(), e));
    call.cancel("the client cannot store what it read", e);
  }

  @Override
  public void onError(Throwable failure) {
    future.completeExceptionally(Errors.of(failure));
  }

  @Override
  public void onCompleted() {
    try {
      future.complete(reader.finish());
    } catch (MuondException e) {
      future.completeExceptionally(e);
    }
  }
}
