package io.muond.client;

import io.grpc.ClientCall;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;

/** The one answer of a call, as a future; cancelling it cancels the call. */
final class Answer<R> implements StreamObserver<R> {
  private final CompletableFuture<R> future;
  private R value;

  Answer(ClientCall<?, ?> call) {
    this.future = cancelling(call);
  }

  CompletableFuture<R> future() {
    return future;
  }

  @Override
  public void onNext(R answer) {
    value = answer;
  }

  @Override
  public void onError(Throwable failure) {
    future.completeExceptionally(Errors.of(failure));
  }

  @Override
  public void onCompleted() {
    if (value == null) {
      future.completeExceptionally(
          Errors.of(Status.Code.INTERNAL, "the server ended the call without an answer"));
    } else {
      future.complete(value);
    }
  }

  /** A future whose cancellation cancels the call. */
  static <T> CompletableFuture<T> cancelling(ClientCall<?, ?> call) {
    CompletableFuture<T> future = new CompletableFuture<>();
    Futures.whenCancelled(future, () -> call.cancel("cancelled by the caller", null));
    return future;
  }
}
