package io.muond.quickstart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class MatrixTest {
  private final Matrix a = new Matrix(2, 3, new float[] {1, 2, 3, 4, 5, 6});
  private final Matrix b = new Matrix(3, 2, new float[] {1, 0, -1, 2, 0, 1});

  @Test
  void productsAreThoseOfTheTextbook() {
    assertThat(a.times(b).data()).containsExactly(-1, 7, -1, 16);
    assertThat(a.timesTransposed(a).data()).containsExactly(14, 32, 32, 77);
    assertThat(b.transposedTimes(b).data()).containsExactly(2, -2, -2, 5);
  }

  @Test
  void shapesThatDoNotFitAreRefused() {
    assertThatThrownBy(() -> a.times(a))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("rows of B: 2 (expected: 3)");
    assertThatThrownBy(() -> new Matrix(2, 2, new float[3]))
        .hasMessage("data: 3 elements (expected: 2 x 2)");
  }
}
