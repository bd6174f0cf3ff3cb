package io.muond.client;

import io.grpc.Status;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;

/** Waits for asynchronous calls. */
final class Futures {
  private Futures() {}

  /**
   * The future's value.
   *
   * @throws MuondException if it failed, or (CANCELLED) if the thread was interrupted, which
   *     cancels the call
   */
  static <T> T await(CompletableFuture<T> future) {
    try {
      return future.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      future.cancel(true);
      throw new MuondException(
          Status.Code.CANCELLED, "", "interrupted while waiting for the server", Map.of(), e);
    } catch (ExecutionException e) {
      throw Errors.of(e);
    }
  }

  /** Runs {@code action} when the future has its value or its failure; one of them is null. */
  static <T> void whenDone(
      CompletableFuture<T> future, BiConsumer<? super T, ? super Throwable> action) {
    // The stage that this makes carries nothing that the future itself does not.
    var unused = future.whenComplete(action);
  }

  /** A stage after {@code source}, whose cancellation cancels that too. */
  static <T> CompletableFuture<T> after(CompletableFuture<?> source, CompletableFuture<T> stage) {
    whenCancelled(stage, () -> source.cancel(true));
    return stage;
  }

  /**
   * What comes of {@code next} once the future has its value or its failure. Cancelling it cancels
   * whichever of the two it waits for.
   */
  static <T, U> CompletableFuture<U> thenWhatever(
      CompletableFuture<T> future, BiFunction<T, Throwable, CompletableFuture<U>> next) {
    CompletableFuture<U> result = new CompletableFuture<>();
    whenCancelled(result, () -> future.cancel(true));
    whenDone(
        future,
        (value, failure) -> {
          if (result.isDone()) {
            return;
          }
          try {
            CompletableFuture<U> end = next.apply(value, failure);
            whenCancelled(result, () -> end.cancel(true));
            whenDone(end, (last, refusal) -> complete(result, last, refusal));
          } catch (RuntimeException e) {
            result.completeExceptionally(e);
          }
        });
    return result;
  }

  /** Completes a future with a value, or with a failure if there is one. */
  static <T> void complete(CompletableFuture<T> future, T value, Throwable failure) {
    if (failure == null) {
      future.complete(value);
    } else {
      future.completeExceptionally(failure);
    }
  }

  /** Runs {@code action} when the future is cancelled. */
  static void whenCancelled(CompletableFuture<?> future, Runnable action) {
    whenDone(
        future,
        (value, failure) -> {
          if (future.isCancelled()) {
            action.run();
          }
        });
  }
}
