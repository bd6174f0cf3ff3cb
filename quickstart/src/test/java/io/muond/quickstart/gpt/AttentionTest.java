package io.muond.quickstart.gpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** What attention lets each character see. */
class AttentionTest {
  private static final GptShape SHAPE = new GptShape(11, 8, 2, 2, 6, GptShape.Stretches.FREE);

  private final Random random = new Random(3);
  private final Mat q = gaussian();
  private final Mat k = gaussian();
  private final Mat v = gaussian();

  private Mat gaussian() {
    Mat mat = Mat.zeros(SHAPE.context(), SHAPE.width());
    for (int i = 0; i < mat.rows(); i++) {
      for (int j = 0; j < mat.columns(); j++) {
        mat.set(i, j, (float) random.nextGaussian());
      }
    }
    return mat;
  }

  private static Mat copy(Mat mat) {
    return Mat.of(mat.rows(), mat.columns(), mat.values());
  }

  private Mat attention() {
    Mat out = Mat.zeros(SHAPE.context(), SHAPE.width());
    new Attention(SHAPE, 1).forward(copy(q), copy(k), v, out);
    return out;
  }

  @Test
  void itSeesTheCharactersBeforeAndNoneAfter() {
    Mat before = attention();
    int changed = 3;
    for (int j = 0; j < SHAPE.width(); j++) {
      k.set(changed, j, 1);
      v.set(changed, j, 1);
    }
    Mat after = attention();
    for (int i = 0; i < SHAPE.context(); i++) {
      for (int j = 0; j < SHAPE.width(); j++) {
        if (i < changed) {
          assertThat(after.get(i, j)).isEqualTo(before.get(i, j));
        } else {
          assertThat(after.get(i, j)).isNotEqualTo(before.get(i, j));
        }
      }
    }
  }

  /** Alone, a character sees itself: a third of its value. */
  @Test
  void theFirstCharacterSeesItself() {
    Mat out = attention();
    for (int j = 0; j < SHAPE.width(); j++) {
      assertThat(out.get(0, j)).isCloseTo(v.get(0, j) / 3, within(1e-6f));
    }
  }
}
