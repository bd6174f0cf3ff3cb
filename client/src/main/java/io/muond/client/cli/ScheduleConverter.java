package io.muond.client.cli;

import io.muond.manifold.Words;
import io.muond.v1.Schedule;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Reads {@code
 * SHAPE,learning-rate=ETA,warmup-steps=N,total-steps=N,decay-steps=N,final-fraction=F}: a shape,
 * and what the fields of {@code schedule.proto} are. Whether they make a schedule is the server's
 * to say.
 */
final class ScheduleConverter implements ITypeConverter<Schedule> {
  private static final String LEARNING_RATE = "learning-rate";
  private static final String WARMUP_STEPS = "warmup-steps";
  private static final String TOTAL_STEPS = "total-steps";
  private static final String DECAY_STEPS = "decay-steps";
  private static final String FINAL_FRACTION = "final-fraction";

  private static final List<Schedule.Shape> SHAPES =
      Arrays.stream(Schedule.Shape.values())
          .filter(shape -> shape != Schedule.Shape.UNRECOGNIZED)
          .filter(shape -> shape != Schedule.Shape.SHAPE_UNSPECIFIED)
          .toList();

  @Override
  public Schedule convert(String text) {
    String[] words = text.split(",", -1);
    Schedule.Builder schedule = Schedule.newBuilder().setShape(shape(words[0]));
    Set<String> keys = new HashSet<>();
    for (String word : Arrays.asList(words).subList(1, words.length)) {
      int equals = word.indexOf('=');
      if (equals < 0) {
        throw refused(word, "KEY=VALUE");
      }
      String key = word.substring(0, equals);
      if (!keys.add(key)) {
        throw refused(word, key + " once");
      }
      set(schedule, word, key, word.substring(equals + 1));
    }
    return schedule.build();
  }

  /** A schedule in the words that {@link #convert} reads. */
  static String text(Schedule schedule) {
    StringBuilder text = new StringBuilder(Words.of(schedule.getShape()));
    put(text, LEARNING_RATE, schedule.hasLearningRate() ? schedule.getLearningRate() : null);
    put(text, WARMUP_STEPS, steps(schedule.getWarmupSteps()));
    put(text, TOTAL_STEPS, steps(schedule.getTotalSteps()));
    put(text, DECAY_STEPS, steps(schedule.getDecaySteps()));
    put(text, FINAL_FRACTION, schedule.hasFinalFraction() ? schedule.getFinalFraction() : null);
    return text.toString();
  }

  private static String steps(long steps) {
    return steps == 0 ? null : Long.toUnsignedString(steps);
  }

  private static void put(StringBuilder text, String key, Object value) {
    if (value != null) {
      text.append(',').append(key).append('=').append(value);
    }
  }

  private static Schedule.Shape shape(String word) {
    List<String> words = SHAPES.stream().map(shape -> Words.of(shape)).toList();
    int index = words.indexOf(word);
    if (index < 0) {
      throw refused(word, "a shape, one of " + String.join(", ", words));
    }
    return SHAPES.get(index);
  }

  private static void set(Schedule.Builder schedule, String word, String key, String value) {
    try {
      switch (key) {
        case LEARNING_RATE -> schedule.setLearningRate(Double.parseDouble(value));
        case WARMUP_STEPS -> schedule.setWarmupSteps(Long.parseUnsignedLong(value));
        case TOTAL_STEPS -> schedule.setTotalSteps(Long.parseUnsignedLong(value));
        case DECAY_STEPS -> schedule.setDecaySteps(Long.parseUnsignedLong(value));
        case FINAL_FRACTION -> schedule.setFinalFraction(Double.parseDouble(value));
        default ->
            throw refused(
                word, "learning-rate, warmup-steps, total-steps, decay-steps or final-fraction");
      }
    } catch (NumberFormatException e) {
      throw refused(word, "a number");
    }
  }

  private static TypeConversionException refused(String word, String expectation) {
    return new TypeConversionException("%s (expected: %s)".formatted(word, expectation));
  }
}
