package io.muond.quickstart.gpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Forward and backward of the GPT. */
class GptTest {
  private static final GptShape SHAPE = new GptShape(11, 8, 2, 2, 6, GptShape.Stretches.FREE);
  private static final int COUNT = 3;

  private final Random random = new Random(5);
  private final Batch batch = batch(COUNT, SHAPE.context());
  private final Map<String, Mat> weights = weights(0.5);
  private final Gpt gpt = new Gpt(SHAPE, COUNT);

  private Batch batch(int count, int context) {
    int[] characters = random.ints((long) count * context, 0, SHAPE.vocabulary()).toArray();
    int[] targets = random.ints((long) count * context, 0, SHAPE.vocabulary()).toArray();
    return new Batch(context, characters, targets);
  }

  private Map<String, Mat> weights(double scale) {
    Map<String, Mat> all = new TreeMap<>();
    SHAPE.weights().forEach((name, shape) -> all.put(name, gaussian(shape, scale)));
    return all;
  }

  private Mat gaussian(GptShape.Weight shape, double scale) {
    Mat mat = Mat.zeros(shape.rows(), shape.columns());
    for (int i = 0; i < mat.rows(); i++) {
      for (int j = 0; j < mat.columns(); j++) {
        mat.set(i, j, (float) (scale * random.nextGaussian()));
      }
    }
    return mat;
  }

  /** Along a random direction, for each weight: the loss's central difference. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "embed", "v.0", "q.0", "k.0", "o.0", "up.0", "down.0", "q.1", "up.1", "head", "bias"
      })
  void gradientsAreTheLossesDifferences(String name) {
    Map<String, Mat> gradients = weights(1);
    gpt.gradient(weights, batch, gradients);
    Mat weight = weights.get(name);
    Mat direction = gaussian(new GptShape.Weight(weight.rows(), weight.columns(), 1), 1);
    double expected = 0;
    float[] along = direction.values();
    float[] gradient = gradients.get(name).values();
    for (int i = 0; i < along.length; i++) {
      expected += (double) along[i] * gradient[i];
    }
    float h = 1e-2f;
    weight.combine(1, h, direction);
    double above = gpt.loss(weights, batch);
    weight.combine(1, -2 * h, direction);
    double below = gpt.loss(weights, batch);
    assertThat((above - below) / (2 * h))
        .isCloseTo(expected, within(2e-3 * (1 + Math.abs(expected))));
    assertThat(expected).isNotZero();
  }

  @Test
  void withoutWeightsEveryCharacterIsAsLikely() {
    Map<String, Mat> none = weights(0);
    assertThat(gpt.loss(none, batch)).isCloseTo(Math.log(SHAPE.vocabulary()), within(1e-6));
  }
}
