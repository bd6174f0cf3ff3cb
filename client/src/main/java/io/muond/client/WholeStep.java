package io.muond.client;

import io.muond.v1.CommitOptions;
import io.muond.v1.StepHeader;
import java.util.concurrent.CompletableFuture;

/** A step that is sent whole: at once, or behind the one that is running. */
final class WholeStep {
  private final Position position;
  private final StepSender sender;
  private final Replay replay;
  private final Position.Turn turn;
  private final CommitOptions options;

  WholeStep(
      Position position,
      StepSender sender,
      Replay replay,
      Position.Turn turn,
      CommitOptions options) {
    this.position = position;
    this.sender = sender;
    this.replay = replay;
    this.turn = turn;
    this.options = options;
  }

  /** Sends it, and ends its turn when it is answered; cancelling the future cancels the call. */
  CompletableFuture<StepResult> start() {
    return turn.around(turn.before() == null ? inTurn() : behind());
  }

  private CompletableFuture<StepResult> inTurn() {
    return new Stepping().start();
  }

  /**
   * Sends it behind the step before. What becomes of that counts once that step is committed; if it
   * could not be sent so, it is sent then.
   */
  private CompletableFuture<StepResult> behind() {
    StepHeader header = position.header(turn.number());
    PendingStep step = turn.step();
    CompletableFuture<StepResult> early =
        replay.hasRoom(turn.before().step(), step)
            ? sender.sendBehind(header, options, step.gradients(), step::copy)
            : CompletableFuture.failedFuture(new IllegalStateException("it has to wait"));
    return Futures.after(
        early,
        Futures.thenWhatever(
            turn.before().committed(),
            (before, refusal) -> {
              if (refusal != null) {
                early.cancel(true);
                return CompletableFuture.failedFuture(refusal);
              }
              return Futures.thenWhatever(
                  early, (answer, failure) -> committed(answer, failure, header));
            }));
  }

  /**
   * The step before was committed.
   *
   * @param failure of the call that was made before it was
   */
  private CompletableFuture<StepResult> committed(
      StepResult answer, Throwable failure, StepHeader header) {
    return failure == null
        ? replay.keeping(CompletableFuture.completedFuture(answer), turn.step(), header, options)
        : inTurn();
  }

  private final class Stepping extends Recovering<StepResult> {
    Stepping() {
      super(replay);
    }

    @Override
    CompletableFuture<StepResult> attempt() {
      StepHeader header = position.header();
      PendingStep step = turn.step();
      return replay.keeping(
          replay.withRoom(step, () -> sender.send(header, options, step.gradients(), step::copy)),
          step,
          header,
          options);
    }
  }
}
