package io.muond.client;

import io.muond.v1.Model;
import io.muond.v1.StepHeader;
import io.muond.v1.WriteWeightsResponse;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;

/** Where one writer of a model stands. Thread-safe. */
final class Position {
  private final String worker;
  private final double weight;
  private Model model;
  private long nextStep;
  private final Deque<Turn> turns = new ArrayDeque<>();

  /**
   * @param weight of the worker's gradients in the sum
   */
  Position(Model model, String worker, double weight) {
    this.worker = worker;
    this.weight = weight;
    adopt(model);
  }

  synchronized Model model() {
    return model;
  }

  synchronized long nextStep() {
    return nextStep;
  }

  /** The header of the next step. */
  synchronized StepHeader header() {
    return header(nextStep);
  }

  /** The header of the step of that number. */
  synchronized StepHeader header(long step) {
    StepHeader.Builder header =
        StepHeader.newBuilder()
            .setModel(model.getName())
            .setIncarnation(model.getIncarnation())
            .setStep(step)
            .setWorker(worker);
    if (!worker.isEmpty()) {
      header.setWorkerEpoch(model.getWorkerEpoch());
    }
    if (weight != 1) {
      header.setWeight(weight);
    }
    return header.build();
  }

  /** Whether the model is where this writer left it. */
  synchronized boolean isAt(Model current) {
    return current.getIncarnation().equals(model.getIncarnation())
        && current.getCommittedStep() == nextStep - 1;
  }

  /** Goes on from where the model is. */
  synchronized void adopt(Model current) {
    model = current;
    nextStep = current.getCommittedStep() + 1;
  }

  /**
   * Stays at the same step, under the model's incarnation; the steps between are sent again. The
   * workers' epoch stays too: that those have changed is for the user to learn.
   */
  synchronized void rejoin(Model current) {
    model = current.toBuilder().setWorkerEpoch(model.getWorkerEpoch()).build();
  }

  /** Weights were written. */
  synchronized void written(WriteWeightsResponse answer) {
    model =
        model.toBuilder()
            .setIncarnation(answer.getIncarnation())
            .setOrigin(answer.getIncarnation())
            .setReady(true)
            .build();
    nextStep = answer.getNextStep();
  }

  /** A step was committed. */
  synchronized void committed(long step) {
    nextStep = step + 1;
  }

  /** One step's time, from its beginning to its end. */
  final class Turn {
    private final Turn before;
    private final long number;
    private final PendingStep step;
    private final CompletableFuture<StepResult> end = new CompletableFuture<>();

    private Turn(Turn before, PendingStep step) {
      this.before = before;
      this.number = before == null ? nextStep : before.number + 1;
      this.step = step;
    }

    /** The turn of the step before, which is running; null if none is. */
    Turn before() {
      return before;
    }

    /** The step's number, as long as nobody else changes the model. */
    long number() {
      return number;
    }

    PendingStep step() {
      return step;
    }

    /** What came of the step. */
    CompletableFuture<StepResult> end() {
      return end;
    }

    /** The step has ended, one way or another. */
    void end(StepResult result, Throwable failure) {
      synchronized (Position.this) {
        turns.remove(this);
      }
      Futures.complete(end, result, failure);
    }
  }

  /**
   * A step begins, until {@link Turn#end}: alone, or behind the one that is running if the model's
   * steps overlap.
   *
   * @throws IllegalStateException if there are too many
   */
  synchronized Turn begin(PendingStep step) {
    if (turns.size() > (model.getOverlapSteps() ? 1 : 0)) {
      throw new IllegalStateException(
          "model %s: step %d is still running".formatted(model.getName(), nextStep));
    }
    Turn turn = new Turn(turns.peekLast(), step);
    turns.add(turn);
    return turn;
  }

  /**
   * The step that is running, if the next may be opened behind it; otherwise null.
   *
   * @throws IllegalStateException if there are two
   */
  synchronized Turn openBehind() {
    if (!model.getOverlapSteps()) {
      return null;
    }
    if (turns.size() > 1) {
      throw new IllegalStateException(
          "model %s: step %d is still running".formatted(model.getName(), nextStep));
    }
    return turns.peek();
  }

  /** Completes, well or not, when the steps that are running have ended; null if none is. */
  synchronized CompletableFuture<Void> running() {
    return turns.isEmpty() ? null : turns.peekLast().end.handle((result, failure) -> null);
  }
}
