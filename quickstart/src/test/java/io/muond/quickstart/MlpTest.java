package io.muond.quickstart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MlpTest {
  private static final double H = 1e-2;

  private final Random random = new Random(1);
  private final Mlp network = new Mlp(List.of(12, 9, 7, 4), 3);
  private final List<Matrix> weights = randomWeights();
  private final Examples batch = randomBatch(16);

  @Test
  void theGradientIsTheLossesSlope() {
    Mlp.Gradient gradient = network.gradient(weights, batch);
    for (int i = 0; i < network.layers(); i++) {
      for (int repeat = 0; repeat < 5; repeat++) {
        Matrix g = gradient.byWeight().get(i);
        Matrix direction = Matrices.gaussian(g.rows(), g.columns(), random);
        double norm = Math.sqrt(Matrices.dot(direction, direction));
        double slope = (lossAt(i, direction, H / norm) - lossAt(i, direction, -H / norm)) / (2 * H);
        double expected = Matrices.dot(g, direction) / norm;
        assertThat(slope).isCloseTo(expected, within(2e-3));
      }
    }
  }

  @Test
  void gradientAndScoreSeeTheSameLoss() {
    assertThat(network.gradient(weights, batch).loss())
        .isCloseTo(network.score(weights, batch).loss(), within(1e-12));
  }

  @Test
  void scoreCountsWhatIsNamedCorrectly() {
    // The identity names the larger input.
    Mlp identity = new Mlp(List.of(2, 2), 1);
    Matrix images = new Matrix(4, 2, new float[] {1, 0, 0, 1, 3, 2, 2, 3});
    Mlp.Score score =
        identity.score(
            List.of(new Matrix(2, 2, new float[] {1, 0, 0, 1})),
            new Examples(images, new int[] {0, 1, 0, 0}));
    assertThat(score.accuracy()).isEqualTo(0.75);
    // Three margins of +1, one of -1.
    double expected = Math.log1p(Math.exp(-1)) * 0.75 + Math.log1p(Math.exp(1)) * 0.25;
    assertThat(score.loss()).isCloseTo(expected, within(1e-7));
  }

  private double lossAt(int layer, Matrix direction, double t) {
    List<Matrix> moved = new ArrayList<>(weights);
    moved.set(layer, Matrices.plus(weights.get(layer), t, direction));
    return network.gradient(moved, batch).loss();
  }

  private List<Matrix> randomWeights() {
    List<Matrix> all = new ArrayList<>();
    for (int i = 0; i < network.layers(); i++) {
      Matrix zeros = Matrix.zeros(network.rows(i), network.columns(i));
      Matrix normal = Matrices.gaussian(zeros.rows(), zeros.columns(), random);
      all.add(Matrices.plus(zeros, 1 / Math.sqrt(zeros.columns()), normal));
    }
    return all;
  }

  private Examples randomBatch(int count) {
    int[] labels = random.ints(count, 0, 4).toArray();
    return new Examples(Matrices.gaussian(count, 12, random), labels);
  }
}
