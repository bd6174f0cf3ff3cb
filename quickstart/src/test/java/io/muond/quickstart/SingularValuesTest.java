package io.muond.quickstart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class SingularValuesTest {
  @Test
  void ofAKnownMatrix() {
    // Its Gram matrix is [[25, 20], [20, 25]] with the eigenvalues 5 and 45.
    double[] values = SingularValues.of(new Matrix(2, 2, new float[] {3, 0, 4, 5}));
    assertThat(values[0]).isCloseTo(Math.sqrt(5), within(1e-12));
    assertThat(values[1]).isCloseTo(Math.sqrt(45), within(1e-12));
  }

  @Test
  void ofDiagonalRankDeficientAndZeroMatrices() {
    assertThat(SingularValues.of(new Matrix(2, 3, new float[] {-2, 0, 0, 0, 0.5f, 0})))
        .containsExactly(0.5, 2);
    assertThat(SingularValues.of(new Matrix(2, 2, new float[] {1, 1, 1, 1}))[1])
        .isCloseTo(2, within(1e-12));
    assertThat(SingularValues.of(Matrix.zeros(3, 2))).containsExactly(0, 0);
  }

  @Test
  void squaresAddUpToTheFrobeniusNormsWhateverTheShape() {
    Matrix tall = Matrices.gaussian(40, 17, new Random(2));
    Matrix wide = Matrices.gaussian(17, 40, new Random(2));
    for (Matrix matrix : new Matrix[] {tall, wide}) {
      double squares = 0;
      double fourthPowers = 0;
      for (double value : SingularValues.of(matrix)) {
        squares += value * value;
        fourthPowers += Math.pow(value, 4);
      }
      Matrix gram = matrix.timesTransposed(matrix);
      assertThat(squares).isCloseTo(Matrices.dot(matrix, matrix), within(1e-9 * squares));
      assertThat(fourthPowers).isCloseTo(Matrices.dot(gram, gram), within(1e-5 * fourthPowers));
    }
  }

  @Test
  void notANumberIsNotPassedOver() {
    assertThatThrownBy(() -> SingularValues.of(new Matrix(2, 2, new float[] {1, Float.NaN, 0, 1})))
        .isInstanceOf(ArithmeticException.class);
  }
}
