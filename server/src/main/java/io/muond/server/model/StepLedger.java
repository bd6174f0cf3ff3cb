package io.muond.server.model;

import io.muond.v1.StepHeader;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Exactly once: where a model's history stands. A step is the next one, or a repeat of the last, or
 * refused. Guarded by the model's lock.
 */
final class StepLedger {
  private final String model;
  private String incarnation;
  private long committed;
  private long durable = -1;
  private CommittedStep last;

  StepLedger(String model, String incarnation) {
    this.model = model;
    this.incarnation = incarnation;
  }

  /** What a header's step is. */
  enum Position {
    /** The next step. */
    NEXT,
    /** The last committed one, of which a record is kept. */
    LAST
  }

  /**
   * Finds the step of {@code header}.
   *
   * @throws MuondException MODEL_REWOUND if its incarnation is stale, STEP_GAP if it is neither
   */
  Position locate(StepHeader header) {
    if (!header.getIncarnation().equals(incarnation)) {
      throw Refusals.modelRewound(model, header.getIncarnation(), incarnation, nextStep(), durable);
    }
    if (header.getStep() == nextStep()) {
      return Position.NEXT;
    }
    if (last != null && header.getStep() == last.step()) {
      return Position.LAST;
    }
    throw Refusals.stepGap(model, header.getStep(), nextStep());
  }

  String incarnation() {
    return incarnation;
  }

  long committedStep() {
    return committed;
  }

  long nextStep() {
    return committed + 1;
  }

  /** The last step that a crash cannot undo. */
  OptionalLong durableStep() {
    return durable < 0 ? OptionalLong.empty() : OptionalLong.of(durable);
  }

  Optional<CommittedStep> last() {
    return Optional.ofNullable(last);
  }

  /** The next step is committed. */
  void commit(CommittedStep step) {
    if (step.step() != nextStep()) {
      throw new IllegalStateException(
          "step " + step.step() + " is committed, but the next one is " + nextStep());
    }
    committed = step.step();
    last = step;
  }

  /** A checkpoint of {@code step}, of this incarnation, is on disk. */
  void saved(long step) {
    durable = Math.max(durable, step);
  }

  /** Checkpoints were removed; {@code step} is what a crash goes back to now, -1 for nothing. */
  void unsaved(long step) {
    durable = step <= durable ? step : -1;
  }

  /** The weights were replaced: step numbers go on, the last step cannot be repeated. */
  void rewrite(String newIncarnation) {
    incarnation = newIncarnation;
    last = null;
  }

  /** The model was put back to a checkpoint of {@code step}. */
  void restore(String newIncarnation, long step, CommittedStep record) {
    incarnation = newIncarnation;
    committed = step;
    durable = step;
    last = record;
  }
}
