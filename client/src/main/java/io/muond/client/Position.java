package io.muond.client;

import io.muond.v1.Model;
import io.muond.v1.StepHeader;
import io.muond.v1.WriteWeightsResponse;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** Where one writer of a model stands. Thread-safe. */
final class Position {
  private final String worker;
  private final double weight;
  private Model model;
  private long nextStep;
  private final Deque<Turn> turns = new ArrayDeque<>();

  /** Incarnations that a crash has ended, the model's steps since then being sent again. */
  private final Set<String> predecessors = new HashSet<>();

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

  /** The last step that may have been sent. */
  synchronized long lastSent() {
    return nextStep + Math.max(0, turns.size() - 1);
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
    predecessors.clear();
    model = current;
    nextStep = current.getCommittedStep() + 1;
  }

  /**
   * Stays at the same step, under the model's incarnation; the steps between are sent again. The
   * workers' epoch stays too: that those have changed is for the user to learn.
   */
  synchronized void rejoin(Model current) {
    predecessors.add(model.getIncarnation());
    model = current.toBuilder().setWorkerEpoch(model.getWorkerEpoch()).build();
  }

  /** Whether the model has been put back since it had that incarnation. */
  synchronized boolean wasPutBack(String incarnation) {
    return predecessors.contains(incarnation) && !incarnation.equals(model.getIncarnation());
  }

  /** Weights were written. */
  synchronized void written(WriteWeightsResponse answer) {
    predecessors.clear();
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

    /** Completes when the step is committed; fails with what it means to the one behind it. */
    CompletableFuture<Void> committed() {
      return end.handle(
          (result, refusal) -> {
            if (refusal != null) {
              throw Errors.dropped(number + 1, Errors.of(refusal));
            }
            return null;
          });
    }

    /** What comes of the step, for its user; it ends the turn first. */
    CompletableFuture<StepResult> around(CompletableFuture<StepResult> step) {
      CompletableFuture<StepResult> result = new CompletableFuture<>();
      Futures.whenCancelled(result, () -> step.cancel(true));
      Futures.whenDone(
          step,
          (value, failure) -> {
            synchronized (Position.this) {
              turns.remove(this);
            }
            MuondException known = failure == null ? null : Errors.of(failure);
            Futures.complete(end, value, known);
            Futures.complete(result, value, known);
          });
      return result;
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
