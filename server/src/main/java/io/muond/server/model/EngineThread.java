package io.muond.server.model;

import io.muond.server.log.RequestScope;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The one thread that computes with the engine. Whoever has had the least of its time comes next:
 * see {@link FairQueue}.
 */
final class EngineThread implements AutoCloseable {
  private final ExecutorService executor;
  private final FairQueue<Runnable> queue = new FairQueue<>();
  private final AtomicInteger waiting = new AtomicInteger();

  EngineThread(String name) {
    executor = Executors.newSingleThreadExecutor(task -> thread(task, name));
  }

  /** One that a device that hangs does not keep the process alive by. */
  private static Thread thread(Runnable task, String name) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    return thread;
  }

  /** Runs {@code work} of {@code party} on the thread. */
  <T> CompletableFuture<T> submit(Party party, Callable<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    waiting.incrementAndGet();
    Callable<T> captured = RequestScope.captureCallable(work);
    Runnable run =
        () -> {
          waiting.decrementAndGet();
          try {
            result.complete(captured.call());
          } catch (Throwable failure) {
            result.completeExceptionally(failure);
          }
        };
    synchronized (queue) {
      queue.add(party, run);
    }
    // One turn for each piece of work; whose it is turns out when it comes.
    executor.execute(this::runNext);
    return result;
  }

  private void runNext() {
    FairQueue.Next<Runnable> next;
    synchronized (queue) {
      next = queue.take();
    }
    long begun = System.nanoTime();
    try {
      next.work().run();
    } finally {
      synchronized (queue) {
        queue.charge(next.party(), (System.nanoTime() - begun) * 1e-9);
      }
    }
  }

  /** How much was submitted that has not begun. */
  int waiting() {
    return waiting.get();
  }

  /** Waits for what was submitted, a minute at most. */
  @Override
  public void close() {
    executor.shutdown();
    try {
      if (!executor.awaitTermination(1, TimeUnit.MINUTES)) {
        executor.shutdownNow();
      }
    } catch (InterruptedException e) {
      executor.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
