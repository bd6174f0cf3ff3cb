package io.muond.client.cli;

import io.muond.v1.Schedule;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.TypeConversionException;

/** Reads {@code GROUP=SCHEDULE}, see {@link ScheduleConverter}. */
final class GroupSchedules {
  private GroupSchedules() {}

  /**
   * The schedules by group.
   *
   * @param option which gave them, for errors
   */
  static Map<String, Schedule> parse(String option, List<String> words) {
    Map<String, Schedule> schedules = new LinkedHashMap<>();
    for (String word : words) {
      int equals = word.indexOf('=');
      int comma = word.indexOf(',');
      if (equals < 1 || (comma >= 0 && comma < equals)) {
        throw new IllegalArgumentException(
            "%s: %s (expected: GROUP=SHAPE,KEY=VALUE,...)".formatted(option, word));
      }
      String group = word.substring(0, equals);
      if (schedules.containsKey(group)) {
        throw new IllegalArgumentException(
            "%s: %s twice (expected: one schedule for each group)".formatted(option, group));
      }
      schedules.put(group, schedule(option, word.substring(equals + 1)));
    }
    return schedules;
  }

  private static Schedule schedule(String option, String word) {
    try {
      return new ScheduleConverter().convert(word);
    } catch (TypeConversionException e) {
      throw new IllegalArgumentException(option + ": " + e.getMessage(), e);
    }
  }
}
