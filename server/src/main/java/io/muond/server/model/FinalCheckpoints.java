package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;

/**
 * The last checkpoints before the server ends: of every model whose newest one is of something
 * else. To be asked for by one thread; what is unfinished may be read by others.
 */
public final class FinalCheckpoints {
  private final Supplier<List<Owned>> models;
  private final Map<Owned, CompletableFuture<Void>> begun = new LinkedHashMap<>();

  /** A model and whose it is. */
  record Owned(Model model, String principal) {
    @Override
    public String toString() {
      String name = "model \"" + model.name() + '"';
      return principal.equals(ModelHost.ANONYMOUS) ? name : name + " of \"" + principal + '"';
    }
  }

  /**
   * @param models those that there are; asked anew each time
   */
  FinalCheckpoints(Supplier<List<Owned>> models) {
    this.models = requireNonNull(models, "models is null");
  }

  /** Begins those of the models that no step is going on of. */
  public synchronized void beginIdle() {
    for (Owned owned : models.get()) {
      if (!owned.model().isWorking()) {
        begun.computeIfAbsent(owned, FinalCheckpoints::save);
      }
    }
  }

  /**
   * Begins the rest, each after what its model still does, and again what has failed or has become
   * old.
   */
  public synchronized void beginAll() {
    models.get().forEach(owned -> begun.put(owned, save(owned)));
  }

  private static CompletableFuture<Void> save(Owned owned) {
    return owned.model().exclusively(() -> owned.model().saver().saveFinal());
  }

  /** Waits for those that were begun. */
  public void await() {
    CompletableFuture<Void> all;
    synchronized (this) {
      all = CompletableFuture.allOf(begun.values().toArray(CompletableFuture[]::new));
    }
    // Which have failed is told one by one.
    all.handle((done, failure) -> null).join();
  }

  /** What goes on: the models that are not done with. */
  public synchronized List<String> unfinished() {
    return begun.entrySet().stream()
        .filter(of -> !of.getValue().isDone())
        .map(
            of ->
                of.getKey()
                    + (of.getKey().model().isWorking()
                        ? ": its step has not ended"
                        : ": its last checkpoint is not written"))
        .toList();
  }

  /** Which models could not be saved, and why. */
  public synchronized List<String> failures() {
    return begun.entrySet().stream()
        .filter(of -> of.getValue().isCompletedExceptionally() && !of.getKey().model().isClosed())
        .map(of -> of.getKey() + ": " + message(of.getValue()))
        .toList();
  }

  private static String message(CompletableFuture<Void> failed) {
    Throwable failure = failed.handle((done, e) -> e).join();
    Throwable cause =
        failure instanceof CompletionException && failure.getCause() != null
            ? failure.getCause()
            : failure;
    return cause instanceof MuondException refusal ? refusal.getMessage() : cause.toString();
  }
}
