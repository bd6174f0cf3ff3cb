package io.muond.client;

import io.muond.v1.Model;
import io.muond.v1.StepHeader;
import io.muond.v1.WriteWeightsResponse;
import java.util.concurrent.CompletableFuture;

/** Where one writer of a model stands. Thread-safe. */
final class Position {
  private final String worker;
  private final double weight;
  private Model model;
  private long nextStep;
  private CompletableFuture<Void> running;

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
    StepHeader.Builder header =
        StepHeader.newBuilder()
            .setModel(model.getName())
            .setIncarnation(model.getIncarnation())
            .setStep(nextStep)
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

  /**
   * A step begins, alone until {@link #end}.
   *
   * @throws IllegalStateException if one is running
   */
  synchronized void begin() {
    if (running != null) {
      throw new IllegalStateException(
          "model %s: step %d is still running".formatted(model.getName(), nextStep));
    }
    running = new CompletableFuture<>();
  }

  /** The step has ended, one way or another. */
  void end() {
    CompletableFuture<Void> ended;
    synchronized (this) {
      ended = running;
      running = null;
    }
    ended.complete(null);
  }

  /** Completes when the step that is running has ended; null if none is. */
  synchronized CompletableFuture<Void> running() {
    return running;
  }
}
