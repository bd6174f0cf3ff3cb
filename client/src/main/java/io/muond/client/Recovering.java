package io.muond.client;

import io.muond.v1.ErrorReason;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * A call that counts on the model being where its writer left it. When it turns out not to be, the
 * model is put back, and the call made again. Cancelling the result cancels the attempt.
 */
abstract class Recovering<T> {
  /** What brings the server down every time is not to be sent for ever. */
  private static final int MAX_ROUNDS = 16;

  private final Replay replay;
  private final CompletableFuture<T> result = new CompletableFuture<>();
  private volatile CompletableFuture<?> current;
  private int rounds;

  Recovering(Replay replay) {
    this.replay = replay;
  }

  /** Makes the call. */
  abstract CompletableFuture<T> attempt();

  /** Whether a failure may come of steps that were lost. */
  boolean tellsOfLoss(MuondException failure) {
    return failure.is(ErrorReason.MODEL_REWOUND) || failure.is(ErrorReason.STEP_GAP);
  }

  /** Puts the model back. */
  CompletableFuture<Void> recover(MuondException seen) {
    return replay.recover(seen);
  }

  /** The call, when nothing can be put back. */
  CompletableFuture<T> giveUp(MuondException failure) {
    return CompletableFuture.failedFuture(failure);
  }

  /** Starts; the result is the caller's to wait for. */
  final CompletableFuture<T> start() {
    Futures.whenCancelled(
        result,
        () -> {
          if (current != null) {
            current.cancel(true);
          }
        });
    tryOnce();
    return result;
  }

  private void tryOnce() {
    CompletableFuture<T> attempt;
    CompletableFuture<Void> others = replay.settled();
    try {
      attempt = others.isDone() ? attempt() : others.thenCompose(done -> attempt());
    } catch (RuntimeException e) {
      result.completeExceptionally(e);
      return;
    }
    follow(attempt);
    Futures.whenDone(
        attempt,
        (value, failure) -> {
          if (failure == null) {
            result.complete(value);
          } else {
            failed(failure);
          }
        });
  }

  private void failed(Throwable failure) {
    MuondException known = Errors.of(failure);
    if (result.isDone()) {
      return;
    }
    if (!replay.isOn() || !tellsOfLoss(known) || rounds == MAX_ROUNDS) {
      result.completeExceptionally(known);
      return;
    }
    rounds++;
    CompletableFuture<Void> recovery = recover(known);
    follow(recovery);
    Futures.whenDone(
        recovery,
        (done, loss) -> {
          if (loss == null) {
            tryOnce();
          } else if (cause(loss) instanceof Replay.LostException lost) {
            last(giveUp(lost.failure()));
          } else {
            failed(loss);
          }
        });
  }

  private void last(CompletableFuture<T> end) {
    follow(end);
    Futures.whenDone(
        end,
        (value, failure) -> {
          if (failure == null) {
            result.complete(value);
          } else {
            result.completeExceptionally(Errors.of(failure));
          }
        });
  }

  private void follow(CompletableFuture<?> next) {
    current = next;
    if (result.isCancelled()) {
      next.cancel(true);
    }
  }

  private static Throwable cause(Throwable failure) {
    return failure instanceof CompletionException && failure.getCause() != null
        ? failure.getCause()
        : failure;
  }
}
