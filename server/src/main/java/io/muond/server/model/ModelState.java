package io.muond.server.model;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * What changes in a model. Its monitor is the model's lock: everything here is read and written
 * while holding it, and nothing slow is done meanwhile.
 */
final class ModelState {
  private final StepLedger ledger;
  private final Map<String, OpenStep.Part> repeats = new HashMap<>();
  private WorkerSet workers;
  private boolean ready;
  private OpenStep open;
  private CompletableFuture<Void> busy;
  private MuondException closed;

  ModelState(StepLedger ledger, WorkerSet workers, boolean ready) {
    this.ledger = ledger;
    this.workers = workers;
    this.ready = ready;
  }

  StepLedger ledger() {
    return ledger;
  }

  /** Repeats of the last committed step that are arriving, by worker. */
  Map<String, OpenStep.Part> repeats() {
    return repeats;
  }

  WorkerSet workers() {
    return workers;
  }

  void setWorkers(WorkerSet workers) {
    this.workers = workers;
  }

  /** Whether it has weights. */
  boolean isReady() {
    return ready;
  }

  void requireReady(String model) {
    if (!ready) {
      throw Refusals.weightsMissing(model);
    }
  }

  void setReady() {
    ready = true;
  }

  /** The open step, or null. */
  OpenStep open() {
    return open;
  }

  void setOpen(OpenStep open) {
    this.open = open;
  }

  /** Refuses new work from now on. */
  void close(MuondException reason) {
    closed = reason;
  }

  /** Takes work again. */
  void reopen() {
    closed = null;
  }

  boolean isClosed() {
    return closed != null;
  }

  void requireLive() {
    if (closed != null) {
      throw closed;
    }
  }

  /** Whether a step computes, or weights are being replaced. */
  boolean isBusy() {
    return busy != null;
  }

  /** Takes the gradient slots, until {@link #release}. */
  void occupy() {
    if (busy != null) {
      throw new IllegalStateException("the model is busy already");
    }
    busy = new CompletableFuture<>();
  }

  /** Gives the gradient slots back. To be completed without the lock. */
  CompletableFuture<Void> release() {
    CompletableFuture<Void> done = busy;
    busy = null;
    return done;
  }

  /** Runs {@code action} while holding the lock, as soon as the model is not busy. */
  <T> CompletableFuture<T> whenIdle(Supplier<T> action) {
    CompletableFuture<Void> wait;
    synchronized (this) {
      try {
        requireLive();
        if (busy == null) {
          return CompletableFuture.completedFuture(action.get());
        }
      } catch (MuondException e) {
        return CompletableFuture.failedFuture(e);
      }
      wait = busy;
    }
    return wait.thenCompose(ignored -> whenIdle(action));
  }
}
