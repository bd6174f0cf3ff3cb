package io.muond.server.model;

import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * How a model ends.
 *
 * @param reason for which calls are refused from then on
 * @param bury makes sure that no restart brings it back; if it fails the model goes on
 * @param remove runs before memory is freed, which happens even if it fails
 */
record ModelEnd(
    MuondException reason,
    Supplier<CompletableFuture<Void>> bury,
    Supplier<CompletableFuture<Void>> remove) {

  /** An end that leaves everything on disk as it is. */
  static ModelEnd leaving(MuondException reason) {
    return new ModelEnd(reason, ModelEnd::nothing, ModelEnd::nothing);
  }

  private static CompletableFuture<Void> nothing() {
    return CompletableFuture.completedFuture(null);
  }

  /**
   * Lets the running step of {@code model} finish, then refuses new work and frees all memory.
   *
   * @return the bytes freed
   */
  CompletableFuture<Long> close(Model model) {
    return model.exclusively(() -> bury.get().thenCompose(buried -> free(model)));
  }

  /**
   * As {@link #close}, if the lease of {@code model} has ended. A heartbeat comes too late from now
   * on, unless the model cannot be buried: then another lease begins.
   *
   * @param now by {@link System#nanoTime}
   * @return empty if nothing was done
   */
  Optional<CompletableFuture<Long>> closeExpired(Model model, long now) {
    synchronized (model.state()) {
      if (model.state().isClosed() || !model.leaseExpired(now)) {
        return Optional.empty();
      }
      model.state().close(reason);
    }
    return Optional.of(
        model.exclusively(
            () ->
                bury.get()
                    .whenComplete((buried, failure) -> goOn(model, failure))
                    .thenCompose(buried -> free(model))));
  }

  private static void goOn(Model model, Throwable failure) {
    if (failure != null) {
      synchronized (model.state()) {
        model.state().reopen();
        model.state().lease().renew();
      }
    }
  }

  private CompletableFuture<Long> free(Model model) {
    model.refuse(reason);
    return CompletableFuture.<Void>completedFuture(null)
        // So that memory is freed even if it throws.
        .thenCompose(refused -> remove.get())
        .handle((removed, failure) -> failure)
        .thenCompose(failure -> model.free(failure));
  }
}
