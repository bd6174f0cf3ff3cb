package io.muond.client;

import io.grpc.Status;
import io.muond.v1.ErrorReason;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Repeats calls while the server is away, where that is safe, until it has been away for the
 * reconnect timeout.
 */
final class Retrier {
  /** Whether a call may be repeated although the server may have got it. */
  enum Safety {
    /** Repeating changes nothing: reads, heartbeats, numbered steps. */
    REPEATABLE,
    /** Only when provably nothing of it reached the server. */
    ONLY_IF_UNSENT
  }

  private static final long FIRST_DELAY_MILLIS = 50;
  private static final long LAST_DELAY_MILLIS = 1_000;

  private final ScheduledExecutorService scheduler;
  private final Duration reconnectTimeout;
  private final Runnable beforeRepeat;
  private final String server;

  /** {@code beforeRepeat} runs before every repetition, {@code server} is named in messages. */
  Retrier(
      ScheduledExecutorService scheduler,
      Duration reconnectTimeout,
      Runnable beforeRepeat,
      String server) {
    this.scheduler = scheduler;
    this.reconnectTimeout = reconnectTimeout;
    this.beforeRepeat = beforeRepeat;
    this.server = server;
  }

  /** The call's answer, or a {@link MuondException}. Cancelling the future cancels the call. */
  <T> CompletableFuture<T> run(Safety safety, Attempt.Call<T> call) {
    Run<T> run = new Run<>(safety, call);
    run.tryOnce();
    return run.result;
  }

  /** One call with its repetitions. */
  private final class Run<T> {
    private final Safety safety;
    private final Attempt.Call<T> call;
    private final CompletableFuture<T> result = new CompletableFuture<>();
    // Only the thread of the running attempt touches these; attempts follow each other.
    private long outageStart;
    private boolean inOutage;
    private long delayMillis = FIRST_DELAY_MILLIS;

    Run(Safety safety, Attempt.Call<T> call) {
      this.safety = safety;
      this.call = call;
    }

    void tryOnce() {
      if (result.isDone()) {
        return;
      }
      long start = System.nanoTime();
      Attempt attempt = new Attempt();
      CompletableFuture<T> answer = call.apply(attempt);
      Futures.whenCancelled(result, () -> answer.cancel(true));
      Futures.whenDone(
          answer,
          (value, failure) -> {
            if (failure == null) {
              result.complete(value);
            } else {
              failed(Errors.of(failure), attempt, start);
            }
          });
    }

    private void failed(MuondException failure, Attempt attempt, long start) {
      if (result.isDone()) {
        return;
      }
      if (!away(failure)) {
        result.completeExceptionally(failure);
        return;
      }
      long now = System.nanoTime();
      // A call that had been running for long was in contact until it broke.
      boolean contact = attempt.sent() && now - start > reconnectTimeout.toNanos();
      if (!inOutage || contact) {
        inOutage = true;
        outageStart = contact ? now : Math.max(start, now - reconnectTimeout.toNanos());
        delayMillis = FIRST_DELAY_MILLIS;
      }
      if (safety == Safety.ONLY_IF_UNSENT && attempt.sent()) {
        result.completeExceptionally(unknownOutcome(failure));
      } else if (now - outageStart + TimeUnit.MILLISECONDS.toNanos(delayMillis)
          > reconnectTimeout.toNanos()) {
        result.completeExceptionally(gaveUp(failure));
      } else {
        repeatLater();
      }
    }

    private void repeatLater() {
      try {
        var unused =
            scheduler.schedule(
                () -> {
                  beforeRepeat.run();
                  tryOnce();
                },
                delayMillis,
                TimeUnit.MILLISECONDS);
      } catch (RejectedExecutionException e) {
        result.completeExceptionally(
            Errors.of(Status.Code.CANCELLED, "the client was closed while a call was running"));
        return;
      }
      delayMillis = Math.min(2 * delayMillis, LAST_DELAY_MILLIS);
    }
  }

  private static boolean away(MuondException failure) {
    return failure.code() == Status.Code.UNAVAILABLE && !failure.is(ErrorReason.STORAGE_FAILED);
  }

  private MuondException gaveUp(MuondException failure) {
    return again(
        failure,
        String.format(
            Locale.ROOT,
            "cannot reach the server %s: %s (gave up after %.3g s)",
            server,
            failure.getMessage(),
            reconnectTimeout.toNanos() * 1e-9));
  }

  private MuondException unknownOutcome(MuondException failure) {
    return again(
        failure,
        "lost the server %s during the call, which may or may not have taken effect: %s"
            .formatted(server, failure.getMessage()));
  }

  private static MuondException again(MuondException failure, String message) {
    return new MuondException(
        failure.code(), failure.reason(), message, failure.metadata(), failure);
  }
}
