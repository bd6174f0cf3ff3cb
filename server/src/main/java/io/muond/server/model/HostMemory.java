package io.muond.server.model;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How much of the process's own memory may be taken at a time by what copies whole models to it.
 * Counted, not looked up: what is free depends on when garbage was last collected. Thread-safe.
 */
final class HostMemory {
  private final long limit;
  private long reserved;

  HostMemory(long limit) {
    this.limit = limit;
  }

  /** Half of what the process may have: the rest is for everything else. */
  static HostMemory ofProcess() {
    return new HostMemory(Runtime.getRuntime().maxMemory() / 2);
  }

  /** Bytes that were taken. */
  interface Reservation extends AutoCloseable {
    /** Gives them back; once is enough. */
    @Override
    void close();
  }

  /** Takes bytes, or refuses. */
  synchronized Reservation reserve(long bytes) {
    if (bytes > limit - reserved) {
      throw Refusals.hostMemory(bytes, limit - reserved);
    }
    reserved += bytes;
    AtomicBoolean closed = new AtomicBoolean();
    return () -> {
      if (closed.compareAndSet(false, true)) {
        release(bytes);
      }
    };
  }

  private synchronized void release(long bytes) {
    reserved -= bytes;
  }

  /** Bytes that are out. */
  synchronized long reserved() {
    return reserved;
  }
}
