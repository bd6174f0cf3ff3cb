package io.muond.server.model;

import io.muond.server.log.RequestScope;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * Asynchronous operations one after the other, in the order of their submission, whether they fail
 * or not. An operation starts on the thread that ends the one before it, or on the submitter's, so
 * it must not block.
 */
final class SerialQueue {
  private CompletableFuture<Void> tail = CompletableFuture.completedFuture(null);

  <T> CompletableFuture<T> run(Supplier<CompletableFuture<T>> operation) {
    CompletableFuture<Void> mine = new CompletableFuture<>();
    CompletableFuture<Void> before;
    synchronized (this) {
      before = tail;
      tail = mine;
    }
    Supplier<CompletableFuture<T>> mineToRun = RequestScope.capture(operation);
    CompletableFuture<T> result = before.thenCompose(ignored -> mineToRun.get());
    return result.whenComplete((value, failure) -> mine.complete(null));
  }
}
