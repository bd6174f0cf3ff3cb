package io.muond.client.cli;

import io.muond.manifold.Words;
import io.muond.v1.Schedule;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Reads {@code
 * SHAPE,learning-rate=ETA,warmup-steps=N,total-steps=N,decay-steps=N,final-fraction=F}: a shape,
 * and what the fields of {@code schedule.proto} are. Whether they make a schedule is the server's
 * to say.
 */
final class ScheduleConverter implements ITypeConverter<Schedule> {
  private static final List<Schedule.Shape> SHAPES =
      Arrays.stream(Schedule.Shape.values())
          .filter(shape -> shape != Schedule.Shape.UNRECOGNIZED)
          .filter(shape -> shape != Schedule.Shape.SHAPE_UNSPECIFIED)
          .toList();

  @Override
  public Schedule convert(String text) {
    String[] words = text.split(",", -1);
    Schedule.Builder schedule = Schedule.newBuilder().setShape(shape(words[0]));
    for (String word : Arrays.asList(words).subList(1, words.length)) {
      int equals = word.indexOf('=');
      if (equals < 0) {
        throw refused(word, "KEY=VALUE");
      }
      set(schedule, word, word.substring(0, equals), word.substring(equals + 1));
    }
    return schedule.build();
  }

  private static Schedule.Shape shape(String word) {
    List<String> words =
        SHAPES.stream().map(shape -> Words.of(shape.getValueDescriptor())).toList();
    int index = words.indexOf(word);
    if (index < 0) {
      throw refused(word, "a shape, one of " + String.join(", ", words));
    }
    return SHAPES.get(index);
  }

  private static void set(Schedule.Builder schedule, String word, String key, String value) {
    try {
      switch (key) {
        case "learning-rate" -> schedule.setLearningRate(Double.parseDouble(value));
        case "warmup-steps" -> schedule.setWarmupSteps(Long.parseUnsignedLong(value));
        case "total-steps" -> schedule.setTotalSteps(Long.parseUnsignedLong(value));
        case "decay-steps" -> schedule.setDecaySteps(Long.parseUnsignedLong(value));
        case "final-fraction" -> schedule.setFinalFraction(Double.parseDouble(value));
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
