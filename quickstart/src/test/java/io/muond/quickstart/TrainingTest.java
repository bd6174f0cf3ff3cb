package io.muond.quickstart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TrainingTest {
  @Test
  void adamWMovesEachWeightByTheLearningRateFirst() {
    Matrix start = new Matrix(1, 3, new float[] {1, 1, 1});
    AdamW adamW = new AdamW(List.of(start), 0.5);
    adamW.step(List.of(new Matrix(1, 3, new float[] {3, -1e-3f, 0})), 0.1);
    float[] moved = adamW.weights().get(0).data();
    assertThat(moved[0]).isCloseTo(0.95f - 0.1f, within(1e-5f));
    assertThat(moved[1]).isCloseTo(0.95f + 0.1f, within(1e-5f));
    assertThat(moved[2]).isCloseTo(0.95f, within(1e-6f));
    assertThat(start.data()).containsExactly(1, 1, 1);
  }

  @Test
  void adamWLearnsTheDigits() throws IOException {
    Mlp network = new Mlp(List.of(64, 32, 10), 1);
    Training training = new Training(network, Digits.load(0), 4, 64, 0);
    List<Integer> heard = new ArrayList<>();
    Outcome outcome =
        training.run("AdamW", new AdamW(start(network), 0), 0.01, (step, loss) -> heard.add(step));
    assertThat(outcome.accuracy()).isGreaterThan(0.93);
    assertThat(outcome.steps()).isEqualTo(training.steps()).isEqualTo(4 * 23);
    assertThat(outcome.testLoss()).hasSize(4);
    assertThat(heard).hasSize(92).endsWith(92);
    assertThat(outcome.trainingLoss().get(91)).isLessThan(outcome.trainingLoss().get(0) / 4);
  }

  private static List<Matrix> start(Mlp network) {
    Random random = new Random(5);
    List<Matrix> weights = new ArrayList<>();
    for (int i = 0; i < network.layers(); i++) {
      Matrix zeros = Matrix.zeros(network.rows(i), network.columns(i));
      Matrix normal = Matrices.gaussian(zeros.rows(), zeros.columns(), random);
      weights.add(Matrices.plus(zeros, Math.sqrt(2.0 / zeros.columns()), normal));
    }
    return weights;
  }
}
