package io.muond.server.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.TestMatrices.Layout;
import java.util.Arrays;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

/** The oblique manifold's operations, row by row. */
class RowsProperties {
  private static final int COUNT = 2;

  /** Rows shorter and longer than a chunk, and enough elements for several threads. */
  record Shape(int rows, int cols) {
    int floats() {
      return COUNT * rows * cols;
    }
  }

  @Provide
  Arbitrary<Shape> shapes() {
    return Arbitraries.of(
        new Shape(1, 2),
        new Shape(5, 7),
        new Shape(100, 3),
        new Shape(1, 4_096),
        new Shape(2, 9_001),
        new Shape(300, 150));
  }

  private static float[] scaled(float[] x, double factor) {
    float[] y = new float[x.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = (float) (factor * x[i]);
    }
    return y;
  }

  /** ⟨x, y⟩ of one row. */
  private static double dot(int cols, int row, float[] x, float[] y) {
    double sum = 0;
    for (int j = row * cols; j < (row + 1) * cols; j++) {
      sum += (double) x[j] * y[j];
    }
    return sum;
  }

  /** Rows of norm {@code radius}. */
  private static float[] points(TestMatrices test, Shape shape, double radius, Matrices to) {
    test.set(to, TestMatrices.random(shape.floats(), 1));
    test.compute().normalizeRows(radius, /* centered= */ false, to, to);
    return test.get(to);
  }

  @Property(tries = 30)
  void rowsAreNormalisedAtEveryScale(
      @ForAll("shapes") Shape shape,
      @ForAll boolean block,
      @ForAll @IntRange(min = -30, max = 30) int exponent) {
    double radius = 1.75;
    float[] x = scaled(TestMatrices.random(shape.floats(), 2), Math.pow(10, exponent));
    Arrays.fill(x, 0, shape.cols(), 0);
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices from = test.make(layout(block), COUNT, shape.rows(), shape.cols(), x);
      Matrices to = test.make(layout(!block), COUNT, shape.rows(), shape.cols());
      test.compute().normalizeRows(radius, /* centered= */ false, from, to);
      float[] y = test.get(to);
      assertThat(y[0]).isEqualTo((float) radius);
      for (int j = 1; j < shape.cols(); j++) {
        assertThat(y[j]).isZero();
      }
      for (int row = 1; row < COUNT * shape.rows(); row++) {
        double norm = Math.sqrt(dot(shape.cols(), row, x, x));
        int first = row * shape.cols();
        assertThat(Math.sqrt(dot(shape.cols(), row, y, y))).isCloseTo(radius, within(1e-6));
        assertThat(y[first]).isCloseTo((float) (radius * x[first] / norm), within(1e-6f));
      }
    }
  }

  private static Layout layout(boolean block) {
    return block ? Layout.BLOCK : Layout.PACKED;
  }

  @Property(tries = 30)
  void directionsAreUnitTangentAndOptimal(
      @ForAll("shapes") Shape shape,
      @ForAll boolean block,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll @IntRange(min = -3, max = 3) int radiusExponent) {
    double scale = Math.pow(10, exponent);
    double radius = Math.pow(10, radiusExponent);
    float[] g = scaled(TestMatrices.random(shape.floats(), 3), scale);
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices w = test.make(Layout.PACKED, COUNT, shape.rows(), shape.cols());
      float[] points = points(test, shape, radius, w);
      Matrices gradient = test.make(layout(block), COUNT, shape.rows(), shape.cols(), g);
      Matrices a = test.make(layout(!block), COUNT, shape.rows(), shape.cols());
      Scalars objective = test.scalars(COUNT);
      test.compute().rowDirections(w, gradient, a, objective);
      float[] direction = test.get(a);
      double[] sums = new double[COUNT];
      for (int row = 0; row < COUNT * shape.rows(); row++) {
        double size = Math.sqrt(dot(shape.cols(), row, direction, direction));
        assertThat(size).isCloseTo(1, within(1e-6));
        double along = dot(shape.cols(), row, points, direction) / radius;
        assertThat(along).isCloseTo(0, within(1e-6));
        double inner = dot(shape.cols(), row, g, direction);
        sums[row / shape.rows()] += inner;
        assertOptimal(shape, row, points, g, inner, scale);
      }
      double[] reported = test.compute().read(objective);
      for (int k = 0; k < COUNT; k++) {
        assertThat(reported[k]).isCloseTo(sums[k], within(1e-5 * Math.abs(sums[k])));
      }
    }
  }

  /** No other tangent vector of norm 1 has a larger inner product with the gradient. */
  private static void assertOptimal(
      Shape shape, int row, float[] w, float[] g, double inner, double scale) {
    int cols = shape.cols();
    for (int other = 0; other < 3; other++) {
      double[] b = new double[cols];
      float[] random = TestMatrices.random(cols, row + 1_000L * other);
      double along = 0;
      double square = dot(cols, row, w, w);
      for (int j = 0; j < cols; j++) {
        // The first is near the gradient, the others anywhere.
        b[j] = random[j] * (other == 0 ? 0.1 : 1) + (other == 0 ? g[row * cols + j] / scale : 0);
        along += b[j] * w[row * cols + j] / square;
      }
      double norm = 0;
      double value = 0;
      for (int j = 0; j < cols; j++) {
        b[j] -= along * w[row * cols + j];
        norm += b[j] * b[j];
        value += b[j] * g[row * cols + j];
      }
      double slack = 1e-6 * scale * Math.sqrt(cols);
      assertThat(value / Math.sqrt(norm)).isLessThanOrEqualTo(inner + slack);
    }
  }

  @Property(tries = 20)
  void powersOfTwoChangeNoBitOfTheDirection(
      @ForAll("shapes") Shape shape, @ForAll @IntRange(min = -90, max = 90) int power) {
    float[] g = TestMatrices.random(shape.floats(), 4);
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices w = test.make(Layout.PACKED, COUNT, shape.rows(), shape.cols());
      points(test, shape, 1, w);
      Matrices once = test.make(Layout.PACKED, COUNT, shape.rows(), shape.cols(), g);
      Matrices often =
          test.make(
              Layout.PACKED, COUNT, shape.rows(), shape.cols(), scaled(g, Math.scalb(1.0, power)));
      Scalars s = test.scalars(COUNT);
      test.compute().rowDirections(w, once, once, s);
      test.compute().rowDirections(w, often, often, s);
      assertThat(test.get(often)).isEqualTo(test.get(once));
    }
  }

  @Property(tries = 30)
  void whereNothingIsTangentTheDirectionIsZeroAndTheRowStays(@ForAll("shapes") Shape shape) {
    float[] g = TestMatrices.random(shape.floats(), 5);
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices w = test.make(Layout.PACKED, COUNT, shape.rows(), shape.cols());
      float[] points = points(test, shape, 1.5, w);
      // Even rows have no gradient, odd ones a multiple of the row itself.
      for (int i = 0; i < g.length; i++) {
        g[i] = i / shape.cols() % 2 == 0 ? 0 : -0.3f * points[i];
      }
      Matrices a = test.make(Layout.BLOCK, COUNT, shape.rows(), shape.cols());
      Matrices y = test.make(Layout.BLOCK, COUNT, shape.rows(), shape.cols());
      Scalars objective = test.scalars(COUNT);
      Matrices gradient = test.make(Layout.PACKED, COUNT, shape.rows(), shape.cols(), g);
      test.compute().rowDirections(w, gradient, a, objective);
      for (float element : test.get(a)) {
        // Of either sign.
        assertThat(element == 0).isTrue();
      }
      assertThat(test.compute().read(objective)).containsOnly(0);
      test.compute().moveRows(1.5, /* centered= */ false, test.scalars(0.1, 0.2), w, a, y);
      assertThat(test.get(y)).isEqualTo(points);
    }
  }

  @Property(tries = 30)
  void residualsAreMeasured(@ForAll("shapes") Shape shape) {
    double radius = 2;
    float[] a = TestMatrices.random(shape.floats(), 6);
    float[] y = TestMatrices.random(shape.floats(), 7);
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices w = test.make(Layout.BLOCK, COUNT, shape.rows(), shape.cols());
      float[] points = points(test, shape, radius, w);
      Matrices direction = test.make(Layout.PACKED, COUNT, shape.rows(), shape.cols(), a);
      Matrices next = test.make(Layout.BLOCK, COUNT, shape.rows(), shape.cols(), y);
      Scalars tangency = test.scalars(COUNT);
      Scalars orthogonality = test.scalars(COUNT);
      test.compute()
          .rowResiduals(radius, /* centered= */ false, w, direction, next, tangency, orthogonality);
      for (int k = 0; k < COUNT; k++) {
        double square = 0;
        double excess = 0;
        for (int row = k * shape.rows(); row < (k + 1) * shape.rows(); row++) {
          square += Math.pow(dot(shape.cols(), row, points, a) / radius, 2) / shape.rows();
          double norm = dot(shape.cols(), row, y, y) / (radius * radius);
          excess = Math.max(excess, Math.abs(norm - 1));
        }
        assertThat(test.compute().read(tangency)[k])
            .isCloseTo(Math.sqrt(square), within(1e-9 * shape.cols()));
        assertThat(test.compute().read(orthogonality)[k])
            .isCloseTo(excess, within(1e-9 * shape.cols()));
      }
    }
  }
}
