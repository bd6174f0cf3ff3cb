package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * What all inspections share: the thread that computes them, and the memory that they may take.
 * Closing drops what is not computed.
 */
record Inspections(HostMemory memory, ExecutorService worker) implements AutoCloseable {
  Inspections {
    requireNonNull(memory, "memory is null");
    requireNonNull(worker, "worker is null");
  }

  Inspections() {
    this(HostMemory.ofProcess(), Executors.newSingleThreadExecutor(Inspections::thread));
  }

  /** A decomposition cannot be interrupted: it must not keep the process alive. */
  private static Thread thread(Runnable task) {
    Thread thread = new Thread(task, "inspections");
    thread.setDaemon(true);
    return thread;
  }

  Executor thread() {
    return worker;
  }

  @Override
  public void close() {
    worker.shutdownNow();
  }
}
