package io.muond.server.model;

import io.muond.v1.ParameterReport;
import io.muond.v1.StepHeader;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.ToDoubleFunction;

/**
 * Exactly once: where a model's history stands. A step is the next one, or a repeat of the last, or
 * refused. Guarded by the model's lock.
 */
final class StepLedger {
  private final String model;
  private final int repeatable;
  private Point now;
  private Optional<Durable> durable = Optional.empty();
  private OptionalLong unsavedSince = OptionalLong.empty();

  /**
   * @param repeatable how many of the last steps can be repeated, 1 or 2
   */
  StepLedger(String model, Incarnation incarnation, int repeatable) {
    this.model = model;
    this.repeatable = repeatable;
    this.now = new Point(incarnation, 0, 0, List.of());
  }

  /**
   * A point of a history: what a checkpoint holds of it.
   *
   * @param step the last committed one
   * @param momentsBegan the last one before which, or with which, all moments were zero
   * @param records of it, and of those before it, for repeats, in order; empty if it cannot be
   *     repeated
   */
  record Point(Incarnation incarnation, long step, long momentsBegan, List<CommittedStep> records) {
    Point {
      records = List.copyOf(records);
    }

    /** The record of the last step; empty if it cannot be repeated. */
    Optional<CommittedStep> last() {
      return records.isEmpty() ? Optional.empty() : Optional.of(records.get(records.size() - 1));
    }

    private Point after(CommittedStep next, int repeatable) {
      if (next.step() != step + 1) {
        throw new IllegalStateException(
            "step " + next.step() + " is committed, but the next one is " + (step + 1));
      }
      List<CommittedStep> kept = new ArrayList<>(records);
      kept.add(next);
      int dropped = Math.max(0, kept.size() - repeatable);
      return new Point(incarnation, next.step(), momentsBegan, kept.subList(dropped, kept.size()));
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
      return new Point(Incarnation.original(step), step, step, List.of());
    }
  }

  /** What a header's step is. */
  enum Position {
    /** The next step. */
    NEXT,
    /** The last committed one, or one before it, of which a record is kept. */
    COMMITTED
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
    if (find(header.getStep()).isPresent()) {
      return Position.COMMITTED;
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

  /** The record of a committed step, as long as it can be repeated. */
  Optional<CommittedStep> find(long step) {
    return now.records().stream().filter(record -> record.step() == step).findFirst();
  }

  /** Where the history stands once {@code next} is committed. */
  Point after(CommittedStep next) {
    return now.after(next, repeatable);
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
