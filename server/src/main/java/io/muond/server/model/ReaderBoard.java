package io.muond.server.model;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Who reads which of the two weight buffers. A step that needs a buffer lets its readers have a
 * grace, and then ends them; it never waits for a network.
 */
final class ReaderBoard {
  private final ScheduledExecutorService timer;
  private final Duration grace;
  private final Lease lease;
  private final List<Set<WeightsReader>> readers = List.of(new HashSet<>(), new HashSet<>());
  private CompletableFuture<Void> vacated;
  private int vacating = -1;

  ReaderBoard(ScheduledExecutorService timer, Duration grace, Lease lease) {
    this.timer = timer;
    this.lease = lease;
    this.grace = grace;
  }

  synchronized void add(WeightsReader reader) {
    readers.get(reader.buffer()).add(reader);
  }

  synchronized boolean isEmpty() {
    return readers.stream().allMatch(Set::isEmpty);
  }

  void remove(WeightsReader reader) {
    CompletableFuture<Void> done = null;
    synchronized (this) {
      lease.renew();
      readers.get(reader.buffer()).remove(reader);
      if (vacating == reader.buffer() && readers.get(vacating).isEmpty()) {
        done = vacated;
        vacating = -1;
      }
    }
    if (done != null) {
      done.complete(null);
    }
  }

  /** Completes when nobody reads {@code buffer} any more, after the grace at the latest. */
  CompletableFuture<Void> vacate(int buffer) {
    CompletableFuture<Void> done;
    synchronized (this) {
      if (readers.get(buffer).isEmpty()) {
        return CompletableFuture.completedFuture(null);
      }
      vacating = buffer;
      vacated = new CompletableFuture<>();
      done = vacated;
    }
    ScheduledFuture<?> alarm =
        timer.schedule(() -> supersede(buffer, done), grace.toNanos(), TimeUnit.NANOSECONDS);
    return done.whenComplete((ignored, failure) -> alarm.cancel(false));
  }

  private void supersede(int buffer, CompletableFuture<Void> done) {
    if (!done.isDone()) {
      end(buffer, r -> Refusals.weightsSuperseded(r.model(), r.step()));
    }
  }

  /** Ends all readers, for a reason. */
  void endAll(MuondException reason) {
    end(0, r -> reason);
    end(1, r -> reason);
  }

  private void end(int buffer, Function<WeightsReader, MuondException> reason) {
    List<WeightsReader> ended;
    synchronized (this) {
      ended = List.copyOf(readers.get(buffer));
    }
    ended.forEach(r -> r.end(reason.apply(r)));
  }
}
