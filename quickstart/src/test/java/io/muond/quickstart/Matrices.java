package io.muond.quickstart;

import java.util.Random;

/** Matrices for tests. */
final class Matrices {
  private Matrices() {}

  /** Independent standard normal entries. */
  static Matrix gaussian(int rows, int columns, Random random) {
    Matrix matrix = Matrix.zeros(rows, columns);
    for (int i = 0; i < matrix.data().length; i++) {
      matrix.data()[i] = (float) random.nextGaussian();
    }
    return matrix;
  }

  /** A + t B. */
  static Matrix plus(Matrix a, double t, Matrix b) {
    Matrix sum = a.copy();
    for (int i = 0; i < sum.data().length; i++) {
      sum.data()[i] += (float) (t * b.data()[i]);
    }
    return sum;
  }

  /** The sum of the products of their entries. */
  static double dot(Matrix a, Matrix b) {
    double sum = 0;
    for (int i = 0; i < a.data().length; i++) {
      sum += (double) a.data()[i] * b.data()[i];
    }
    return sum;
  }
}
