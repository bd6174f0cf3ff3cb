package io.muond.quickstart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DigitsTest {
  @Test
  void theFileIsWhole() throws IOException {
    Examples all = Digits.read();
    int[] counts = new int[Digits.CLASSES];
    for (int i = 0; i < all.count(); i++) {
      counts[all.label(i)]++;
    }
    // As the data set's description counts them.
    assertThat(counts).containsExactly(178, 182, 177, 183, 181, 182, 181, 179, 174, 180);
    float largest = 0;
    for (float pixel : all.images().data()) {
      assertThat(pixel).isBetween(0f, 16f);
      largest = Math.max(largest, pixel);
    }
    assertThat(largest).isEqualTo(16);
  }

  @Test
  void aSplitHoldsEveryImageOnce() throws IOException {
    Digits digits = Digits.load(0);
    assertThat(digits.training().count()).isEqualTo(1437);
    assertThat(digits.test().count()).isEqualTo(360);
    assertThat(Digits.shuffled(1797, new Random(0))).doesNotHaveDuplicates();
  }

  @Test
  void theSeedAloneDecidesTheSplit() throws IOException {
    Digits digits = Digits.load(3);
    assertThat(Digits.load(3).test().images().data()).isEqualTo(digits.test().images().data());
    assertThat(Digits.load(4).test().images().data()).isNotEqualTo(digits.test().images().data());
  }

  @Test
  void imagesHaveRootMeanSquareOne() throws IOException {
    Matrix images = Digits.load(0).test().images();
    for (int i = 0; i < images.rows(); i++) {
      double squares = 0;
      for (int j = 0; j < images.columns(); j++) {
        squares += images.get(i, j) * images.get(i, j);
      }
      assertThat(squares / images.columns()).isCloseTo(1, within(1e-5));
    }
  }
}
