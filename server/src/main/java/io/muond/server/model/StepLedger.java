package io.muond.server.model;

import io.muond.v1.ParameterReport;
import io.muond.v1.StepHeader;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.ToDoubleFunction;

/**
 * Exactly once: where a model's history stands. A step is the next one, or a repeat of the last, or
 * refused. Guarded by the model's lock.
 */
final class StepLedger {
  private final String model;
  private Point now;
  private Optional<Durable> durable = Optional.empty();
  private OptionalLong unsavedSince = OptionalLong.empty();

  StepLedger(String model, Incarnation incarnation) {
    this.model = model;
    this.now = new Point(incarnation, 0, 0, Optional.empty());
  }

  /**
   * A point of a history: what a checkpoint holds of it.
   *
   * @param step the last committed one
   * @param momentsBegan the last one before which, or with which, all moments were zero
   * @param last its record, for repeats; empty if it cannot be repeated
   */
  record Point(
      Incarnation incarnation, long step, long momentsBegan, Optional<CommittedStep> last) {
    /** After the next step. */
    Point after(CommittedStep next) {
      if (next.step() != step + 1) {
        throw new IllegalStateException(
            "step " + next.step() + " is committed, but the next one is " + (step + 1));
      }
      return new Point(incarnation, next.step(), momentsBegan, Optional.of(next));
    }

    /** How many steps there are, with the next one, since all moments were zero. */
    long nextAge() {
      return step + 1 - momentsBegan;
    }

    /**
     * With the weights replaced: step numbers go on, moments begin anew, the last step cannot be
     * repeated.
     */
    Point rewritten() {
      return new Point(Incarnation.original(step), step, step, Optional.empty());
    }
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
    if (!header.getIncarnation().equals(incarnation())) {
      throw Refusals.modelRewound(model, header.getIncarnation(), now, durableStep());
    }
    if (header.getStep() == nextStep()) {
      return Position.NEXT;
    }
    if (now.last().isPresent() && header.getStep() == now.step()) {
      return Position.LAST;
    }
    throw Refusals.stepGap(model, header.getStep(), nextStep());
  }

  /** Where the history stands. */
  Point now() {
    return now;
  }

  String incarnation() {
    return now.incarnation().id();
  }

  long committedStep() {
    return now.step();
  }

  long nextStep() {
    return now.step() + 1;
  }

  /** The last step that a crash cannot undo. */
  OptionalLong durableStep() {
    return durable.map(d -> OptionalLong.of(d.step())).orElseGet(OptionalLong::empty);
  }

  /** The same, should the newest checkpoint be damaged. */
  OptionalLong fallbackStep() {
    return durable.map(Durable::fallback).orElseGet(OptionalLong::empty);
  }

  Optional<CommittedStep> last() {
    return now.last();
  }

  /** The largest residual of the last step's report, 0 if there is none. */
  double worst(ToDoubleFunction<ParameterReport> residual) {
    return now.last().stream()
        .flatMap(step -> step.report().getParametersList().stream())
        .mapToDouble(residual)
        .max()
        .orElse(0);
  }

  /** The history stands at {@code next} from now on. */
  void advance(Point next) {
    now = next;
    noteUnsaved();
  }

  /** What a crash cannot undo from now on; empty if it undoes everything. */
  void setDurable(Optional<Durable> now) {
    durable = now;
    noteUnsaved();
  }

  private void noteUnsaved() {
    if (now.step() <= durableStep().orElse(0)) {
      unsavedSince = OptionalLong.empty();
    } else if (unsavedSince.isEmpty()) {
      unsavedSince = OptionalLong.of(System.nanoTime());
    }
  }

  /** For how many seconds there have been steps that a crash would undo, 0 if there are none. */
  double unsavedSeconds() {
    return unsavedSince.isPresent() ? (System.nanoTime() - unsavedSince.getAsLong()) / 1e9 : 0;
  }
}
