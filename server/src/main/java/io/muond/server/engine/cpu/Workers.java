package io.muond.server.engine.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * A team that shares out the tasks of one operation at a time. The calling thread works too; the
 * helpers spin for a moment between operations, since a step is many short ones, and park after it.
 */
final class Workers implements AutoCloseable {
  /** Tasks of one operation, each run once, in any order, by any thread. */
  @FunctionalInterface
  interface Task {
    void run(int index);
  }

  /** About 20 µs: longer than the gaps within a step, shorter than a client's think time. */
  private static final int SPINS = 400;

  /** Below so many elements (about 20 µs of work) other threads are not worth waking. */
  private static final long INLINE = 65_536;

  private final List<Helper> helpers = new ArrayList<>();
  private volatile Job current;
  private volatile boolean closed;

  Workers(int threads) {
    for (int i = 1; i < threads; i++) {
      Helper helper = new Helper(i);
      helpers.add(helper);
      helper.start();
    }
  }

  int threads() {
    return helpers.size() + 1;
  }

  /**
   * Runs tasks 0 to count − 1 and returns when all are done. If one fails the others still run, and
   * what the first failure threw is thrown here.
   */
  void run(int count, Task task) {
    if (count == 1 || helpers.isEmpty()) {
      Job alone = new Job(count, task);
      alone.work();
      alone.rethrow();
      return;
    }
    Job job = new Job(count, task);
    current = job;
    for (Helper helper : helpers) {
      helper.wake();
    }
    job.work();
    job.await();
    job.rethrow();
  }

  /**
   * Runs {@code body} for 0 to count − 1, several in a row on each thread.
   *
   * @param elements that it goes over in all
   */
  void forEach(int count, long elements, Task body) {
    int tasks = elements <= INLINE ? 1 : Math.min(count, threads() * 4);
    run(
        tasks,
        task -> {
          int end = (int) ((long) count * (task + 1) / tasks);
          for (int i = (int) ((long) count * task / tasks); i < end; i++) {
            body.run(i);
          }
        });
  }

  @Override
  public void close() {
    closed = true;
    for (Helper helper : helpers) {
      LockSupport.unpark(helper);
    }
  }

  private static final class Job {
    private final int count;
    private final Task task;
    private final Thread owner = Thread.currentThread();
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger done = new AtomicInteger();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    Job(int count, Task task) {
      this.count = count;
      this.task = task;
    }

    void work() {
      for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
        try {
          task.run(i);
        } catch (RuntimeException | Error e) {
          failure.compareAndSet(null, e);
        } finally {
          if (done.incrementAndGet() == count) {
            LockSupport.unpark(owner);
          }
        }
      }
    }

    void rethrow() {
      Throwable first = failure.get();
      if (first instanceof Error error) {
        throw error;
      }
      if (first != null) {
        throw (RuntimeException) first;
      }
    }

    void await() {
      for (int spins = 0; done.get() < count; spins++) {
        if (spins < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
    }
  }

  private final class Helper extends Thread {
    private volatile boolean parked;

    Helper(int number) {
      super("muond-cpu-" + number);
      setDaemon(true);
    }

    void wake() {
      if (parked) {
        LockSupport.unpark(this);
      }
    }

    @Override
    public void run() {
      Job seen = null;
      while (!closed) {
        Job job = next(seen);
        if (job != null) {
          job.work();
          seen = job;
        }
      }
    }

    private Job next(Job seen) {
      for (int i = 0; i < SPINS; i++) {
        Job job = current;
        if (job != seen) {
          return job;
        }
        Thread.onSpinWait();
      }
      parked = true;
      while (current == seen && !closed) {
        LockSupport.park(this);
      }
      parked = false;
      return closed ? null : current;
    }
  }
}
