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

/** Steps without a constraint, and rows of mean 0, against plain loops. */
class DescentProperties {
  private static final int COUNT = 3;

  /** Rows shorter and longer than a chunk, and enough elements for several threads. */
  record Shape(int rows, int cols) {
    int floats() {
      return COUNT * rows * cols;
    }
  }

  @Provide
  Arbitrary<Shape> shapes() {
    if (TestEngines.isCuda()) {
      return Arbitraries.of(new Shape(1, 2), new Shape(7, 5), new Shape(40, 33));
    }
    return Arbitraries.of(
        new Shape(1, 2), new Shape(7, 5), new Shape(2, 4_097), new Shape(270, 90));
  }

  private static Matrices make(TestMatrices test, Layout layout, Shape shape, float[] values) {
    Matrices x = test.make(layout, COUNT, shape.rows(), shape.cols());
    if (values != null) {
      test.set(x, values);
    }
    return x;
  }

  @Property(tries = 12)
  void signs(@ForAll("shapes") Shape shape, @ForAll Layout layout) {
    float[] x = TestMatrices.random(shape.floats(), 1);
    x[0] = 0;
    x[1] = -Float.MIN_VALUE;
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices from = make(test, layout, shape, x);
      Matrices to = make(test, layout, shape, null);
      test.compute().signs(from, to);
      test.compute().signs(from, from);
      float[] signs = test.get(to);
      assertThat(test.get(from)).isEqualTo(signs);
      for (int i = 0; i < x.length; i++) {
        assertThat(signs[i]).isEqualTo(Math.signum(x[i]));
      }
    }
  }

  @Property(tries = 12)
  void descents(@ForAll("shapes") Shape shape, @ForAll Layout layout, @ForAll boolean inPlace) {
    float[] w = TestMatrices.random(shape.floats(), 2);
    float[] a = TestMatrices.random(shape.floats(), 3);
    double[] keep = {1, 1, 0.9};
    double[] step = {0, 0.3, 7};
    int n = shape.rows() * shape.cols();
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices from = make(test, layout, shape, w);
      Matrices along = make(test, layout, shape, a);
      Matrices to = inPlace ? along : make(test, layout, shape, null);
      test.compute().descend(test.scalars(keep), test.scalars(step), from, along, to);
      float[] found = test.get(to);
      for (int i = 0; i < w.length; i++) {
        double expected = keep[i / n] * w[i] - step[i / n] * a[i];
        assertThat((double) found[i]).isCloseTo(expected, within(i < n ? 0 : 2e-6));
      }
    }
  }

  @Property(tries = 12)
  void moments(@ForAll("shapes") Shape shape, @ForAll Layout layout) {
    float[] m = TestMatrices.random(shape.floats(), 4);
    float[] v = TestMatrices.random(shape.floats(), 5);
    float[] g = TestMatrices.random(shape.floats(), 6);
    for (int i = 0; i < v.length; i++) {
      v[i] = Math.abs(v[i]);
    }
    // Its square is no float32.
    g[1] = 1e30f;
    try (TestMatrices test = new TestMatrices(2)) {
      Matrices old = make(test, layout, shape, m);
      Matrices oldSecond = make(test, layout, shape, v);
      Matrices gradient = make(test, layout, shape, g);
      Matrices next = make(test, layout, shape, null);
      Matrices a = make(test, layout, shape, null);
      Scalars corrections = test.scalars(1.7, 1.3);
      test.compute().adamw(0.75, 0.5, 0.25, corrections, old, oldSecond, gradient, next, a);
      float[] first = test.get(gradient);
      float[] second = test.get(next);
      float[] direction = test.get(a);
      assertThat(test.get(old)).isEqualTo(m);
      assertThat(test.get(oldSecond)).isEqualTo(v);
      assertThat(second[1]).isInfinite();
      assertThat(direction[1]).isNaN();
      for (int i = 2; i < m.length; i++) {
        double moment = 0.75 * m[i] + 0.25 * g[i];
        double square = 0.5 * v[i] + 0.5 * g[i] * g[i];
        assertThat((double) first[i]).isCloseTo(moment, within(2e-7));
        assertThat((double) second[i]).isCloseTo(square, within(2e-7));
        double expected = 1.7 * moment / (1.3 * Math.sqrt(square) + 0.25);
        assertThat((double) direction[i]).isCloseTo(expected, within(2e-6));
      }
    }
  }

  /** The mean may be far larger than what is left; of equal elements nothing is. */
  @Property(tries = 12)
  void rowsOfMeanZero(@ForAll("shapes") Shape shape, @ForAll boolean block, @ForAll boolean same) {
    Layout layout = block ? Layout.BLOCK : Layout.PACKED;
    float[] x = TestMatrices.random(shape.floats(), 7);
    for (int i = 0; i < x.length; i++) {
      x[i] += 1000 * (i / shape.cols() % 3);
    }
    Arrays.fill(x, 0, shape.cols(), 0.1f);
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices from = make(test, layout, shape, x);
      Matrices to = same ? from : make(test, Layout.PACKED, shape, null);
      test.compute().centerRows(from, to);
      double[] expected = new double[x.length];
      for (int start = 0; start < x.length; start += shape.cols()) {
        double mean = 0;
        for (int i = start; i < start + shape.cols(); i++) {
          mean += x[i] / (double) shape.cols();
        }
        for (int i = start; i < start + shape.cols(); i++) {
          expected[i] = start == 0 ? 0 : x[i] - mean;
        }
      }
      float[] found = test.get(to);
      Naive.assertClose(found, expected, 2e-7);
      assertThat(Arrays.copyOf(found, shape.cols())).containsOnly(0);
    }
  }
}
