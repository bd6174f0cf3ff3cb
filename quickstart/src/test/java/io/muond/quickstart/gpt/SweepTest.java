package io.muond.quickstart.gpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Which learning rates are as good as the best. */
class SweepTest {
  private static final GptShape SHAPE = new GptShape(11, 8, 2, 2, 6, GptShape.Stretches.FREE);

  private static Sweep sweep(double... ratesAndLosses) {
    List<Run> runs = new ArrayList<>();
    for (int i = 0; i < ratesAndLosses.length; i += 2) {
      runs.add(new Run(ratesAndLosses[i], List.of(), ratesAndLosses[i + 1], Map.of(), 0, 0));
    }
    return new Sweep("test", SHAPE, runs);
  }

  /** The limit is 2.04: a quarter of the way to 2.16 and a tenth of the way to 2.4. */
  @Test
  void theRangeEndsWhereTheLossPassesTwoPercent() {
    Sweep.Range range = sweep(1, 3, 2, 2.16, 4, 2, 8, 2.4).range();
    assertThat(range.from()).isCloseTo(4 * Math.pow(0.5, 0.25), within(1e-12));
    assertThat(range.to()).isCloseTo(4 * Math.pow(2, 0.1), within(1e-12));
    assertThat(range.factor()).isCloseTo(Math.pow(2, 0.35), within(1e-12));
    assertThat(range.open()).isFalse();
  }

  @Test
  void aRunThatDivergedEndsTheRange() {
    Sweep.Range range = sweep(1, 2.5, 2, 2, 4, Double.NaN).range();
    assertThat(range.to()).isEqualTo(2);
    assertThat(range.open()).isFalse();
  }

  @Test
  void whatWasNotTriedIsNotKnown() {
    Sweep.Range range = sweep(1, 2.01, 2, 2, 4, 2.5).range();
    assertThat(range.from()).isEqualTo(1);
    assertThat(range.open()).isTrue();
    assertThat(sweep(1, 2, 2, 2.5).range().open()).isTrue();
  }

  @Test
  void theBestIsTheLowest() {
    assertThat(sweep(1, 2.5, 2, 2, 4, Double.NaN).best().learningRate()).isEqualTo(2);
  }
}
