package io.muond.client;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.muond.v1.ErrorReason;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
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

  /** A call that makes no sense on its way so often is garbled by somebody else. */
  private static final int MOST_GARBLED = 5;

  private static final Set<Status.Code> NONSENSE =
      EnumSet.of(Status.Code.INTERNAL, Status.Code.UNKNOWN, Status.Code.DATA_LOSS);

  private static final long FIRST_DELAY_MILLIS = 50;
  private static final long LAST_DELAY_MILLIS = 1_000;

  /** Even with a reconnect timeout of 0 a connection may take as long as this. */
  static final long MIN_CONNECT_MILLIS = 2_000;

  /** How grpc-java words a ping that was not answered. */
  private static final String KEEP_ALIVE_FAILED = "Keepalive failed";

  private final ScheduledExecutorService scheduler;
  private final Duration reconnectTimeout;
  private final Duration patience;
  private final Runnable beforeRepeat;
  private final Runnable renew;
  private final String server;

  /**
   * {@code patience} is how long a call waits for its turn at most. {@code beforeRepeat} runs
   * before every repetition, {@code renew} makes calls go over a new connection, {@code server} is
   * named in messages.
   */
  Retrier(
      ScheduledExecutorService scheduler,
      Duration reconnectTimeout,
      Duration patience,
      Runnable beforeRepeat,
      Runnable renew,
      String server) {
    this.scheduler = scheduler;
    this.reconnectTimeout = reconnectTimeout;
    this.patience = patience;
    this.beforeRepeat = beforeRepeat;
    this.renew = renew;
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
    private final long begun = System.nanoTime();
    private long outageStart;
    private boolean inOutage;
    private int garbled;
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
      Runnable unwatch = attempt.sent() ? () -> {} : watchConnecting(attempt, answer);
      Futures.whenDone(
          answer,
          (value, failure) -> {
            unwatch.run();
            if (failure == null) {
              result.complete(value);
            } else {
              failed(attempt.explain(failure), attempt, start);
            }
          });
    }

    /**
     * Ends an attempt that does not get out: a host that takes connections but says nothing would
     * hold it for ever.
     */
    private Runnable watchConnecting(Attempt attempt, CompletableFuture<T> answer) {
      try {
        ScheduledFuture<?> watch =
            scheduler.schedule(
                () -> {
                  if (attempt.giveUpConnecting()) {
                    answer.cancel(true);
                  }
                },
                Math.max(reconnectTimeout.toMillis(), MIN_CONNECT_MILLIS),
                TimeUnit.MILLISECONDS);
        return () -> watch.cancel(false);
      } catch (RejectedExecutionException e) {
        // The client is closed, and its channel fails the attempt by itself.
        return () -> {};
      }
    }

    private void failed(MuondException failure, Attempt attempt, long start) {
      if (result.isDone()) {
        return;
      }
      long turn = failure.retryDelay().map(Retrier::spread).orElse(Long.MAX_VALUE);
      if (turn < patience.toNanos() - (System.nanoTime() - begun)) {
        repeatAfter(turn);
        return;
      }
      boolean nonsense = garbled(failure);
      if (!away(failure) && !(nonsense && ++garbled < MOST_GARBLED)) {
        result.completeExceptionally(failure);
        return;
      }
      if (nonsense) {
        // Both ends compress headers by what came before: once they disagree they do so for ever.
        renew.run();
      }
      long now = System.nanoTime();
      // A call that had been running for long was in contact until it broke, or went silent.
      boolean contact = attempt.sent() && now - start > reconnectTimeout.toNanos();
      if (!inOutage || contact) {
        inOutage = true;
        outageStart = contact ? now - silence(failure) : start;
        delayMillis = FIRST_DELAY_MILLIS;
      }
      if (safety == Safety.ONLY_IF_UNSENT && attempt.sent()) {
        result.completeExceptionally(unknownOutcome(failure));
      } else if (now - outageStart + TimeUnit.MILLISECONDS.toNanos(delayMillis)
          > reconnectTimeout.toNanos()) {
        result.completeExceptionally(nonsense ? failure : gaveUp(failure));
      } else {
        repeatLater();
      }
    }

    private void repeatLater() {
      repeatAfter(TimeUnit.MILLISECONDS.toNanos(delayMillis));
      delayMillis = Math.min(2 * delayMillis, LAST_DELAY_MILLIS);
    }

    private void repeatAfter(long nanos) {
      try {
        var unused =
            scheduler.schedule(
                () -> {
                  beforeRepeat.run();
                  tryOnce();
                },
                nanos,
                TimeUnit.NANOSECONDS);
      } catch (RejectedExecutionException e) {
        result.completeExceptionally(
            Errors.of(Status.Code.CANCELLED, "the client was closed while a call was running"));
      }
    }
  }

  /** Up to half as long again, in nanoseconds: those who were refused at once come one by one. */
  private static long spread(Duration delay) {
    return (long) (delay.toNanos() * (1 + ThreadLocalRandom.current().nextDouble() / 2));
  }

  /** For how long the server had said nothing when the transport noticed, in nanoseconds. */
  private static long silence(MuondException failure) {
    return failure.getMessage().startsWith(KEEP_ALIVE_FAILED)
        ? Connection.KEEP_ALIVE_TIME.plus(Connection.KEEP_ALIVE_TIMEOUT).toNanos()
        : 0;
  }

  private static boolean away(MuondException failure) {
    return failure.code() == Status.Code.UNAVAILABLE && !failure.is(ErrorReason.STORAGE_FAILED);
  }

  /**
   * A connection whose bytes made no sense: to gRPC, whose errors have no reason as the server's
   * own have, to this library, or to the server, since this library's calls do make sense.
   */
  private static boolean garbled(MuondException failure) {
    boolean here =
        failure.getCause() == null || failure.getCause() instanceof StatusRuntimeException;
    return failure.is(ErrorReason.CALL_MALFORMED)
        || (here && failure.reason().isEmpty() && NONSENSE.contains(failure.code()));
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
    return failure.withMessage(message);
  }
}
