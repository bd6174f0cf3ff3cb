package io.muond.server.model;

import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** The one thread that computes with the engine, first come, first served. */
final class EngineThread implements AutoCloseable {
  private final ExecutorService executor;
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

  /** Runs {@code work} on the thread. */
  <T> CompletableFuture<T> submit(Callable<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    waiting.incrementAndGet();
    executor.execute(
        () -> {
          waiting.decrementAndGet();
          try {
            result.complete(work.call());
          } catch (Throwable failure) {
            result.completeExceptionally(failure);
          }
        });
    return result;
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
