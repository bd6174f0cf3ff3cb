package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.protobuf.TextFormat;
import io.muond.v1.Schedule;
import java.util.stream.DoubleStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rates against the formulas of schedule.proto, worked out by hand. */
class SchedulesTest {
  private static Schedule schedule(String text) {
    try {
      return ScheduleReader.complete("schedule", TextFormat.parse(text, Schedule.class));
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
  }

  private static double[] rates(String text, long... steps) {
    Schedule schedule = schedule(text);
    return LongStream.of(steps).mapToDouble(k -> Schedules.rate(schedule, k)).toArray();
  }

  private static void assertRates(String text, long[] steps, double... expected) {
    double[] actual = rates(text, steps);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).as("step %d", steps[i]).isCloseTo(expected[i], within(1e-15));
    }
  }

  private static long[] steps(long... steps) {
    return steps;
  }

  @Test
  void constant() {
    assertRates("learning_rate: 0.5", steps(1, 2, 1L << 62), 0.5, 0.5, 0.5);
    assertRates("learning_rate: 0", steps(1), 0);
    assertRates(
        "learning_rate: 0.5 warmup_steps: 4",
        steps(1, 2, 3, 4, 5, 100),
        0.125,
        0.25,
        0.375,
        0.5,
        0.5,
        0.5);
  }

  @Test
  void linear() {
    assertRates(
        "learning_rate: 1 shape: SHAPE_LINEAR total_steps: 4",
        steps(1, 2, 3, 4, 5, Long.MAX_VALUE),
        0.75,
        0.5,
        0.25,
        0,
        0,
        0);
    assertRates(
        "learning_rate: 2 shape: SHAPE_LINEAR warmup_steps: 2 total_steps: 6 final_fraction: 0.5",
        steps(1, 2, 3, 4, 5, 6, 7),
        1,
        2,
        1.75,
        1.5,
        1.25,
        1,
        1);
  }

  @Test
  void cosine() {
    double root = Math.sqrt(0.5);
    assertRates(
        "learning_rate: 1 shape: SHAPE_COSINE warmup_steps: 1 total_steps: 5",
        steps(1, 2, 3, 4, 5, 6),
        1,
        (1 + root) / 2,
        0.5,
        (1 - root) / 2,
        0,
        0);
    assertRates(
        "learning_rate: 1 shape: SHAPE_COSINE total_steps: 2 final_fraction: 0.1",
        steps(1, 2, 3),
        0.55,
        0.1,
        0.1);
  }

  @Test
  void decay() {
    assertRates(
        "learning_rate: 1 shape: SHAPE_DECAY warmup_steps: 2 total_steps: 10 decay_steps: 4",
        steps(1, 2, 3, 6, 7, 8, 9, 10, 11),
        0.5,
        1,
        1,
        1,
        0.75,
        0.5,
        0.25,
        0,
        0);
    assertThat(schedule("learning_rate: 1 shape: SHAPE_DECAY total_steps: 11").getDecaySteps())
        .isEqualTo(3);
    assertThat(
            schedule("learning_rate: 1 shape: SHAPE_DECAY total_steps: 10 warmup_steps: 9")
                .getDecaySteps())
        .isEqualTo(1);
    assertThat(
            schedule("learning_rate: 1 shape: SHAPE_DECAY total_steps: 9223372036854775807")
                .getDecaySteps())
        .isEqualTo(1_844_674_407_370_955_162L);
  }

  @Test
  void aRateNeverRisesAfterTheWarmUpNorPassesItsBounds() {
    for (String shape : new String[] {"LINEAR", "COSINE", "DECAY"}) {
      String text =
          "learning_rate: 3 warmup_steps: 7 total_steps: 50 final_fraction: 0.25 shape: SHAPE_"
              + shape;
      double[] rates = rates(text, LongStream.rangeClosed(7, 60).toArray());
      for (int i = 1; i < rates.length; i++) {
        assertThat(rates[i]).isLessThanOrEqualTo(rates[i - 1]).isGreaterThanOrEqualTo(0.75);
      }
      assertThat(DoubleStream.of(rates).skip(43)).containsOnly(0.75);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "warmup_steps: 3 | learning_rate: absent",
        "learning_rate: -1 | learning_rate: -1.0 (expected: a finite number >= 0)",
        "learning_rate: nan | learning_rate: NaN",
        "learning_rate: inf | learning_rate: Infinity",
        "learning_rate: 1 shape: 9 | shape: 9 (expected: a known shape)",
        "learning_rate: 1 warmup_steps: 9223372036854775808 | warmup_steps: 9223372036854775808",
        "learning_rate: 1 total_steps: 5 | total_steps: 5 (expected: none with SHAPE_CONSTANT)",
        "learning_rate: 1 final_fraction: 0 | final_fraction: 0.0 (expected: none",
        "learning_rate: 1 decay_steps: 2 | decay_steps: 2 (expected: only with SHAPE_DECAY)",
        "learning_rate: 1 shape: SHAPE_LINEAR | total_steps: 0 (expected: more than the 0",
        "learning_rate: 1 shape: SHAPE_COSINE total_steps: 3 warmup_steps: 3 | total_steps: 3 (",
        "learning_rate: 1 shape: SHAPE_LINEAR total_steps: 3 decay_steps: 1 | decay_steps: 1 (",
        "learning_rate: 1 shape: SHAPE_LINEAR total_steps: 3 final_fraction: 1.5 | final_fraction:",
        "learning_rate: 1 shape: SHAPE_DECAY total_steps: 3 warmup_steps: 1 decay_steps: 3"
            + " | decay_steps: 3 (expected: 1 to 2",
      })
  void badSchedulesAreRefused(String text, String message) {
    assertThatThrownBy(() -> schedule(text))
        .isInstanceOf(MuondException.class)
        .hasMessageStartingWith("schedule." + message);
  }
}
