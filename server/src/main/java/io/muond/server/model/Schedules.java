package io.muond.server.model;

import io.muond.v1.Schedule;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The learning rates of steps whose commits send none: a function of the group and the step's
 * number alone.
 *
 * @param common of groups without a schedule of their own
 * @param groups by group
 */
record Schedules(Optional<Schedule> common, Map<String, Schedule> groups) {
  /** No schedule at all. */
  static final Schedules NONE = new Schedules(Optional.empty(), Map.of());

  Schedules {
    groups = Map.copyOf(groups);
  }

  /** The schedule of a group. */
  Optional<Schedule> of(String group) {
    return Optional.ofNullable(groups.get(group)).or(() -> common);
  }

  /** The rate of a group's schedule at step {@code step}, if it has one. */
  OptionalDouble rate(String group, long step) {
    return of(group).map(s -> OptionalDouble.of(rate(s, step))).orElse(OptionalDouble.empty());
  }

  /**
   * The rate at a step, from 1.
   *
   * @param schedule with every default, as {@link ScheduleReader} makes it
   */
  static double rate(Schedule schedule, long step) {
    double eta = schedule.getLearningRate();
    long w = schedule.getWarmupSteps();
    if (step <= w) {
      return eta * ((double) step / w);
    }
    long total = schedule.getTotalSteps();
    long d = schedule.getDecaySteps();
    double c =
        switch (schedule.getShape()) {
          case SHAPE_LINEAR -> 1 - progress(step - w, total - w);
          case SHAPE_COSINE -> (1 + Math.cos(Math.PI * progress(step - w, total - w))) / 2;
          case SHAPE_DECAY -> 1 - progress(step - (total - d), d);
          case SHAPE_CONSTANT, SHAPE_UNSPECIFIED, UNRECOGNIZED -> 1;
        };
    double f = schedule.getFinalFraction();
    return eta * (f + (1 - f) * c);
  }

  /** x in [0, 1]: how far the decay has come. */
  private static double progress(long done, long length) {
    return Math.max(0, Math.min(1, (double) done / length));
  }
}
