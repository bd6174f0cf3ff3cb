package io.muond.server.linalg;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Schedules and retraction polynomials have the minimax property: their errors equioscillate. */
class MinimaxTest {
  /** The schedule for l = 1e-2 as computed independently. */
  private static final double[][] FOR_ONE_HUNDREDTH = {
    {8.093368512548, -23.620430328824, 17.446151749836},
    {3.636585554259, -2.721926746609, 0.536546288327},
    {2.661299985777, -1.977154521885, 0.452616406996},
    {1.956171638884, -1.337507745944, 0.38385270133},
    {1.875165562736, -1.250183946294, 0.375018395106}
  };

  @Test
  void theScheduleForOneHundredthIsTheKnownOne() {
    List<PolarExpress.Quintic> schedule = PolarExpress.greedy(1e-2, 5);
    for (int k = 0; k < 5; k++) {
      PolarExpress.Quintic q = schedule.get(k);
      assertThat(q.a()).isCloseTo(FOR_ONE_HUNDREDTH[k][0], within(2e-6));
      assertThat(q.b()).isCloseTo(FOR_ONE_HUNDREDTH[k][1], within(2e-6));
      assertThat(q.c()).isCloseTo(FOR_ONE_HUNDREDTH[k][2], within(1e-5));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.2, 0.1, 5e-2, 2e-2, 1e-2, 5e-3, 2e-3})
  void everyQuinticTouchesItsErrorFourTimesWithAlternatingSigns(double lower) {
    double l = lower;
    double u = 1;
    for (PolarExpress.Quintic q : PolarExpress.greedy(lower, 3)) {
      double largest = 0;
      for (int i = 0; i <= 200_000; i++) {
        largest = Math.max(largest, Math.abs(error(q, l + (u - l) * i / 200_000)));
      }
      assertThat(alternations(q, l, u, largest)).isEqualTo(4);
      l = 1 - largest;
      u = 1 + largest;
    }
  }

  private static double error(PolarExpress.Quintic q, double x) {
    return x * (q.a() + x * x * (q.b() + x * x * q.c())) - 1;
  }

  private static int alternations(PolarExpress.Quintic q, double l, double u, double largest) {
    int count = 0;
    double sign = 0;
    for (int i = 0; i <= 200_000; i++) {
      double e = error(q, l + (u - l) * i / 200_000);
      if (Math.abs(e) > largest * (1 - 1e-3) && Math.signum(e) != sign) {
        sign = Math.signum(e);
        count++;
      }
    }
    return count;
  }

  @Test
  void schedulesHaveTheLengthAskedForAndAllButTheLastAreDamped() {
    for (int steps = 1; steps <= 24; steps++) {
      List<PolarExpress.Quintic> schedule = PolarExpress.schedule(steps);
      assertThat(schedule).hasSize(steps);
      if (steps > 8) {
        assertThat(schedule.get(steps - 1))
            .isEqualTo(new PolarExpress.Quintic(1.875, -1.25, 0.375));
        assertThat(schedule.get(steps - 2).a()).isCloseTo(1.875 / 1.01, within(1e-15));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 5, 6, 7, 8, 12})
  void compositionsTakeSingularValuesToOne(int steps) {
    double[] lower = {0, 0, 0, 0, 2e-2, 1e-2, 5e-3, 2e-3};
    double l = steps < 8 ? lower[steps] : 1e-3;
    for (int i = 0; i <= 1000; i++) {
      double x = l + (1 - l) * i / 1000;
      for (PolarExpress.Quintic q : PolarExpress.schedule(steps)) {
        x = error(q, x) + 1;
      }
      assertThat(x).isCloseTo(1, within(0.05));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1e-6, 0.05, 0.1, 0.3, 0.4, 0.7, 1, 1.5, 2, 4, 8})
  void retractionPolynomialsReachFloat32Accuracy(double eta) {
    List<double[]> stages = InverseSquareRoot.forLearningRate(eta);
    assertThat(stages.size()).isLessThanOrEqualTo(eta <= 0.4 ? 1 : eta <= 1 ? 2 : 4);
    if (eta <= 0.1) {
      assertThat(stages.get(0)).hasSize(3);
    }
    for (int i = 0; i <= 2000; i++) {
      double sigma = Math.sqrt(1 + eta * eta * i / 2000);
      for (double[] p : stages) {
        double x = sigma * sigma - 1;
        double value = 0;
        for (int k = p.length - 1; k >= 0; k--) {
          value = value * x + p[k];
        }
        sigma += sigma * value;
      }
      assertThat(sigma).isCloseTo(1, within(3e-7));
    }
  }
}
