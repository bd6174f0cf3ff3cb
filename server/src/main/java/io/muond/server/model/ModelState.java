package io.muond.server.model;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * What changes in a model. Its monitor is the model's lock: everything here is read and written
 * while holding it, and nothing slow is done meanwhile.
 */
final class ModelState {
  private final StepLedger ledger;
  private final Lease lease;
  private final Repeats repeats = new Repeats();
  private WorkerSet workers;
  private boolean ready;
  private OpenStep open;
  private OpenStep ahead;
  private final Queue<Waiter<?>> waiting = new ArrayDeque<>();
  private final LastStepTrace trace = new LastStepTrace();
  private boolean busy;
  private MuondException closed;
  private MuondException lost;

  ModelState(StepLedger ledger, Lease lease, WorkerSet workers, boolean ready) {
    this.ledger = ledger;
    this.lease = lease;
    this.workers = workers;
    this.ready = ready;
  }

  StepLedger ledger() {
    return ledger;
  }

  Lease lease() {
    return lease;
  }

  /** What is still there of the last step. */
  LastStepTrace trace() {
    return trace;
  }

  /** Repeats of committed steps that are arriving. */
  Repeats repeats() {
    return repeats;
  }

  /**
   * A repeat ends, answered or not.
   *
   * @return false if it had ended before
   */
  boolean endRepeat(OpenStep.Part part) {
    boolean ended = repeats.end(part);
    if (ended) {
      lease.renew();
    }
    return ended;
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

  /** A step begins, or, with null, ends. */
  void setOpen(OpenStep open) {
    this.open = open;
    lease.renew();
  }

  /** The step after the open one, if it is open as well, or null. */
  OpenStep ahead() {
    return ahead;
  }

  /** The step after the open one begins, or, with null, ends. */
  void setAhead(OpenStep next) {
    ahead = next;
  }

  /** Gradient bytes of open steps that are here, as they came over the wire. */
  long stagedBytes() {
    return (open == null ? 0 : open.receivedBytes()) + (ahead == null ? 0 : ahead.receivedBytes());
  }

  /** The open step has ended: the one after it, if there is one, is the open one from now on. */
  void advance() {
    setOpen(ahead);
    ahead = null;
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

  /** What its memory held is gone: from now on it can only be closed. */
  void lose(MuondException reason) {
    lost = reason;
  }

  boolean isLost() {
    return lost != null;
  }

  /** Refuses if it is being closed. */
  void requireOpen() {
    if (closed != null) {
      throw closed;
    }
  }

  /** Refuses if it is being closed, or lost. */
  void requireLive() {
    requireOpen();
    if (lost != null) {
      throw lost;
    }
  }

  /** Whether a step computes, or weights are being replaced. */
  boolean isBusy() {
    return busy;
  }

  /** Whether a step or a repeat is open or computes, or weights are being replaced. */
  boolean isInUse() {
    return open != null || busy || !repeats.isEmpty();
  }

  /** Takes the gradient slots, until {@link #release}. */
  void occupy() {
    if (busy) {
      throw new IllegalStateException("the model is busy already");
    }
    busy = true;
  }

  /**
   * Gives the gradient slots back, and lets those who wait for them act in the order in which they
   * came, until one takes the slots again: nobody who comes later is served before them.
   *
   * @return tells them; to be run without the lock
   */
  Runnable release() {
    busy = false;
    lease.renew();
    List<Runnable> answers = new ArrayList<>();
    while (!busy && !waiting.isEmpty()) {
      answers.add(waiting.remove().act());
    }
    return () -> answers.forEach(Runnable::run);
  }

  /** Runs {@code action} while holding the lock, as soon as the model is not busy. */
  synchronized <T> CompletableFuture<T> whenIdle(Supplier<T> action) {
    Waiter<T> waiter = new Waiter<>(action);
    if (busy && closed == null) {
      waiting.add(waiter);
    } else {
      // Nobody listens to the answer yet.
      waiter.act().run();
    }
    return waiter.answer;
  }

  /** Who waits until the model is not busy. */
  private final class Waiter<T> {
    private final Supplier<T> action;
    private final CompletableFuture<T> answer = new CompletableFuture<>();

    private Waiter(Supplier<T> action) {
      this.action = action;
    }

    /**
     * Acts.
     *
     * @return tells what came of it; to be run without the lock
     */
    private Runnable act() {
      try {
        requireLive();
        T result = action.get();
        return () -> answer.complete(result);
      } catch (Throwable failure) {
        return () -> answer.completeExceptionally(failure);
      }
    }
  }
}
