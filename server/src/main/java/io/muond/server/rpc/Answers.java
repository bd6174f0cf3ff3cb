package io.muond.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.muond.server.log.RequestScope;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/** Answers calls of one request and one response. */
final class Answers {
  private final Executor executor;

  /**
   * @param executor sends what other threads have computed
   */
  Answers(Executor executor) {
    this.executor = executor;
  }

  /** It serves the call that this thread works for. */
  Executor executor() {
    return RequestScope.capture(executor);
  }

  /** Answers by what is known at once. */
  <T> void now(StreamObserver<T> call, Supplier<T> work) {
    later(call, () -> CompletableFuture.completedFuture(work.get()));
  }

  /** Answers by what {@code work} comes to. */
  <T> void later(StreamObserver<T> call, Supplier<CompletableFuture<T>> work) {
    // With a handler, answering a call that was cancelled is no error.
    ((ServerCallStreamObserver<T>) call).setOnCancelHandler(() -> {});
    CompletableFuture<T> result;
    try {
      result = work.get();
    } catch (Throwable e) {
      call.onError(Errors.status(e));
      return;
    }
    if (result.isDone()) {
      var unused = result.whenComplete((value, failure) -> answer(call, value, failure));
    } else {
      var unused =
          result.whenCompleteAsync((value, failure) -> answer(call, value, failure), executor());
    }
  }

  private static <T> void answer(StreamObserver<T> call, T value, Throwable failure) {
    if (failure != null) {
      call.onError(Errors.status(failure));
      return;
    }
    try {
      call.onNext(value);
      call.onCompleted();
    } catch (Throwable e) {
      call.onError(Errors.status(e));
    }
  }
}
