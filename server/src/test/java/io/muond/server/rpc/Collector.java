package io.muond.server.rpc;

import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Gathers a call's answers. */
final class Collector<T> implements StreamObserver<T> {
  private final List<T> answers = new CopyOnWriteArrayList<>();
  private final CompletableFuture<List<T>> end = new CompletableFuture<>();
  private final CompletableFuture<T> first = new CompletableFuture<>();

  @Override
  public void onNext(T answer) {
    answers.add(answer);
    first.complete(answer);
  }

  @Override
  public void onError(Throwable failure) {
    first.completeExceptionally(failure);
    end.completeExceptionally(failure);
  }

  @Override
  public void onCompleted() {
    end.complete(answers);
  }

  boolean isDone() {
    return end.isDone();
  }

  /** The first answer. */
  T first() {
    return get(first);
  }

  /** All answers; fails as the call did. */
  List<T> await() {
    return get(end);
  }

  private static <V> V get(CompletableFuture<V> future) {
    try {
      return future.get(20, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StatusRuntimeException status) {
        throw status;
      }
      throw new AssertionError(e.getCause());
    } catch (TimeoutException e) {
      throw new AssertionError("no answer", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
