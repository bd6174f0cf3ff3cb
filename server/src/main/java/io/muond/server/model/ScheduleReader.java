package io.muond.server.model;

import io.muond.server.manifold.ManifoldKind;
import io.muond.server.optimizer.BatchProgram;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Schedule;
import io.muond.v1.Schedule.Shape;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Checks schedules and fills in their defaults. */
final class ScheduleReader {
  private final String field;
  private final Schedule declared;

  private ScheduleReader(String field, Schedule declared) {
    this.field = field;
    this.declared = declared;
  }

  /** A model's schedules; what one of them would do to a parameter that must not is refused. */
  static Schedules read(CreateModelRequest request, List<ParameterSpec> parameters) {
    Optional<Schedule> common =
        request.hasSchedule()
            ? Optional.of(complete("schedule", request.getSchedule()))
            : Optional.empty();
    List<Piece> pieces = parameters.stream().flatMap(p -> p.pieces().stream()).toList();
    Set<String> known = pieces.stream().map(Piece::group).collect(Collectors.toSet());
    Map<String, Schedule> groups = new TreeMap<>();
    for (Map.Entry<String, Schedule> entry :
        new TreeMap<>(request.getGroupSchedulesMap()).entrySet()) {
      String group = entry.getKey();
      if (!known.contains(group)) {
        throw Refusals.invalidField("group_schedules", '"' + group + '"', "a group of the model");
      }
      groups.put(group, complete(field(group), entry.getValue()));
    }
    Schedules schedules = new Schedules(common, groups);
    pieces.forEach(piece -> requireBounded(schedules, piece));
    return schedules;
  }

  private static String field(String group) {
    return "group_schedules[\"" + group + "\"]";
  }

  private static void requireBounded(Schedules schedules, Piece piece) {
    Optional<Schedule> schedule = schedules.of(piece.group());
    if (schedule.isPresent() && !piece.isFrozen()) {
      boolean own = schedules.groups().containsKey(piece.group());
      String field = own ? field(piece.group()) : "schedule";
      requireRate(field + ".learning_rate", schedule.get().getLearningRate(), piece);
    }
  }

  /** Refuses a learning rate that is too large for a piece. */
  static void requireRate(String field, double eta, Piece piece) {
    double rate = eta * piece.multiplier();
    boolean stiefel = piece.spec().manifold() == ManifoldKind.STIEFEL;
    if (!Float.isFinite((float) rate) || (stiefel && rate > BatchProgram.MAX_LEARNING_RATE)) {
      throw Refusals.invalidField(
          field,
          eta,
          "times its multiplier at most "
              + (stiefel ? BatchProgram.MAX_LEARNING_RATE : Float.MAX_VALUE)
              + " for parameter \""
              + piece.name()
              + "\", not "
              + rate);
    }
  }

  /**
   * A schedule with every default.
   *
   * @param field where it stands in the request, for errors
   */
  static Schedule complete(String field, Schedule declared) {
    return new ScheduleReader(field, declared).complete();
  }

  private Schedule complete() {
    double eta = declared.getLearningRate();
    require(declared.hasLearningRate(), "learning_rate", "absent", "a finite number >= 0");
    require(eta >= 0 && Double.isFinite(eta), "learning_rate", eta, "a finite number >= 0");
    long w = declared.getWarmupSteps();
    require(w >= 0, "warmup_steps", Long.toUnsignedString(w), "0 to " + Long.MAX_VALUE);
    Shape shape = declared.getShape();
    require(shape != Shape.UNRECOGNIZED, "shape", declared.getShapeValue(), "a known shape");
    Schedule.Builder full = declared.toBuilder();
    if (shape == Shape.SHAPE_UNSPECIFIED || shape == Shape.SHAPE_CONSTANT) {
      requireConstant();
      return full.setShape(Shape.SHAPE_CONSTANT).build();
    }
    long total = declared.getTotalSteps();
    require(
        total > w,
        "total_steps",
        Long.toUnsignedString(total),
        "more than the " + w + " of warm-up, at most " + Long.MAX_VALUE);
    double f = declared.getFinalFraction();
    require(f >= 0 && f <= 1, "final_fraction", f, "a number in [0, 1]");
    return full.setDecaySteps(decay(shape, total - w)).setFinalFraction(f).build();
  }

  private void requireConstant() {
    long total = declared.getTotalSteps();
    require(total == 0, "total_steps", Long.toUnsignedString(total), "none with SHAPE_CONSTANT");
    require(
        !declared.hasFinalFraction(),
        "final_fraction",
        declared.getFinalFraction(),
        "none with SHAPE_CONSTANT");
    requireNoDecay();
  }

  private void requireNoDecay() {
    long d = declared.getDecaySteps();
    require(d == 0, "decay_steps", Long.toUnsignedString(d), "only with SHAPE_DECAY");
  }

  /**
   * @param most the steps after the warm-up
   */
  private long decay(Shape shape, long most) {
    if (shape != Shape.SHAPE_DECAY) {
      requireNoDecay();
      return 0;
    }
    long d = declared.getDecaySteps();
    long total = declared.getTotalSteps();
    if (d == 0) {
      // A fifth, rounded up, without passing 64 bits.
      return Math.min(most, total / 5 + (total % 5 == 0 ? 0 : 1));
    }
    require(
        d >= 1 && d <= most,
        "decay_steps",
        Long.toUnsignedString(d),
        "1 to " + most + ", the steps after the warm-up");
    return d;
  }

  private void require(boolean valid, String name, Object value, String expectation) {
    if (!valid) {
      throw Refusals.invalidField(field + "." + name, value, expectation);
    }
  }
}
