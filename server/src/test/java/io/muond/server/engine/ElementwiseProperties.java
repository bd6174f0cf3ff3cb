package io.muond.server.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.TestMatrices.Layout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

/** Element-wise operations and reductions, against plain loops. */
class ElementwiseProperties {
  /** A batch's dimensions; the last ones are shared out among threads. */
  record Shape(int count, int rows, int cols) {
    int floats() {
      return count * rows * cols;
    }
  }

  @Provide
  Arbitrary<Shape> shapes() {
    if (TestEngines.isCuda()) {
      // Large shapes are for the runs that the CPU engine copies to the heap.
      return Arbitraries.of(
          new Shape(1, 1, 1), new Shape(3, 1, 7), new Shape(2, 64, 64), new Shape(2, 70, 33));
    }
    return Arbitraries.of(
        new Shape(1, 1, 1),
        new Shape(3, 1, 7),
        new Shape(2, 64, 64),
        new Shape(2, 5, 4_097),
        new Shape(3, 4_097, 5),
        new Shape(2, 300, 150),
        new Shape(1, 1, 70_000));
  }

  @Property(tries = 15)
  void linearCombinations(
      @ForAll("shapes") Shape shape, @ForAll Layout layout, @ForAll boolean withBeta) {
    float[] x = TestMatrices.random(shape.floats(), 1);
    float[] y = TestMatrices.random(shape.floats(), 2);
    double beta = withBeta ? 0.3 : 0;
    double[] alpha = {0.1, -2, 7};
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices a = make(test, layout, shape, x);
      // Not set with beta = 0: its NaN must not be read.
      Matrices b = make(test, layout, shape, withBeta ? y : null);
      test.compute().combine(0.1, a, beta, b);
      assertCombined(test.get(b), combined(shape, new double[3], 0.1, x, beta, y));
      Matrices c = make(test, layout, shape, withBeta ? y : null);
      double[] each = Arrays.stream(alpha).limit(shape.count()).map(factor -> 2 * factor).toArray();
      test.compute().combineEach(0.5, test.scalars(each), a, beta, c);
      assertCombined(test.get(c), combined(shape, alpha, 0, x, beta, y));
      test.compute().combine(-4, a, 0, a);
      assertCombined(test.get(a), combined(shape, new double[3], -4, x, 0, y));
    }
  }

  @Property(tries = 15)
  void momentum(@ForAll("shapes") Shape shape, @ForAll Layout layout, @ForAll boolean nesterov) {
    float beta = 0.75f;
    float[] g = TestMatrices.random(shape.floats(), 3);
    float[] m = TestMatrices.random(shape.floats(), 4);
    try (TestMatrices test = new TestMatrices(2)) {
      Matrices gradient = make(test, layout, shape, g);
      Matrices old = make(test, layout, shape, m);
      Matrices taken = nesterov ? make(test, layout, shape, null) : null;
      test.compute().momentum(beta, nesterov, old, gradient, taken);
      float[] sum = test.get(gradient);
      float[] ahead = nesterov ? test.get(taken) : sum;
      for (int i = 0; i < g.length; i++) {
        double expected = (double) beta * m[i] + g[i];
        assertThat((double) sum[i]).isCloseTo(expected, within(1e-7));
        double look = nesterov ? g[i] + beta * expected : expected;
        assertThat((double) ahead[i]).isCloseTo(look, within(4e-7));
      }
      assertThat(test.get(old)).isEqualTo(m);
    }
  }

  /** A device rounds αx + βy once, the CPU each product and their sum. */
  private static void assertCombined(float[] found, float[] expected) {
    assertThat(found).containsExactly(expected, within(TestEngines.isCuda() ? 1e-6f : 0));
  }

  private static float[] combined(
      Shape shape, double[] alpha, double plus, float[] x, double beta, float[] y) {
    float[] z = new float[x.length];
    int n = shape.rows() * shape.cols();
    for (int i = 0; i < z.length; i++) {
      float scaled = (float) (alpha[i / n] + plus) * x[i];
      z[i] = beta == 0 ? scaled : scaled + (float) beta * y[i];
    }
    return z;
  }

  private static Matrices make(TestMatrices test, Layout layout, Shape shape, float[] values) {
    Matrices x = test.make(layout, shape.count(), shape.rows(), shape.cols());
    if (values != null) {
      test.set(x, values);
    }
    return x;
  }

  @Property(tries = 12)
  void operandsOfDifferentLayouts(
      @ForAll("shapes") Shape shape, @ForAll boolean transposed, @ForAll boolean blockFirst) {
    Layout packed = transposed ? Layout.TRANSPOSED : Layout.PACKED;
    Layout block = transposed ? Layout.TRANSPOSED_BLOCK : Layout.BLOCK;
    float[] x = TestMatrices.random(shape.floats(), 3);
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices a = make(test, blockFirst ? block : packed, shape, x);
      Matrices b = make(test, blockFirst ? packed : block, shape, null);
      test.compute().copy(a, b);
      assertThat(test.get(b)).isEqualTo(x);
      test.compute().zero(a);
      assertThat(test.get(a)).containsOnly(0);
    }
  }

  @Property(tries = 12)
  void divisionAndWhereItIsByZero(@ForAll("shapes") Shape shape, @ForAll Layout layout) {
    float[] x = TestMatrices.random(shape.floats(), 4);
    float[] y = TestMatrices.random(shape.floats(), 5);
    // Its reciprocal overflows float32.
    float tiny = 1e-42f;
    double[] divisors = {4, 0, tiny};
    int n = shape.rows() * shape.cols();
    for (int i = 2 * n; i < x.length; i++) {
      x[i] *= tiny;
    }
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices a = make(test, layout, shape, x);
      Matrices b = make(test, layout, shape, null);
      Scalars s = test.scalars(Arrays.copyOf(divisors, shape.count()));
      test.compute().divide(a, s, b);
      float[] quotients = test.get(b);
      for (int i = 0; i < x.length; i++) {
        double by = divisors[i / n];
        float expected = by == 0 ? 0 : (float) (x[i] / by);
        assertThat(quotients[i]).isCloseTo(expected, within(Math.ulp(expected)));
      }
      Matrices c = make(test, layout, shape, y);
      test.compute().copyWhereZero(s, a, c);
      float[] copied = test.get(c);
      for (int i = 0; i < x.length; i++) {
        assertThat(copied[i]).isEqualTo(divisors[i / n] == 0 ? x[i] : y[i]);
      }
    }
  }

  @Property(tries = 15)
  void reductions(@ForAll("shapes") Shape shape, @ForAll Layout layout) {
    float[] x = TestMatrices.random(shape.floats(), 6);
    float[] y = TestMatrices.random(shape.floats(), 7);
    int n = shape.rows() * shape.cols();
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices a = make(test, layout, shape, x);
      Matrices b = make(test, layout, shape, y);
      double[][] found = reductions(test, a, b);
      for (int k = 0; k < shape.count(); k++) {
        double largest = 0;
        double square = 0;
        double difference = 0;
        double inner = 0;
        for (int i = k * n; i < (k + 1) * n; i++) {
          largest = Math.max(largest, Math.abs(x[i]));
          square += (double) x[i] * x[i];
          difference += ((double) x[i] - y[i]) * ((double) x[i] - y[i]);
          inner += (double) x[i] * y[i];
        }
        assertThat(found[0][k]).isEqualTo(largest);
        assertThat(found[1][k]).isCloseTo(Math.sqrt(square), within(1e-12 * n));
        assertThat(found[2][k]).isCloseTo(Math.sqrt(difference), within(1e-12 * n));
        assertThat(found[3][k]).isCloseTo(inner, within(1e-12 * n));
      }
    }
  }

  private static double[][] reductions(TestMatrices test, Matrices a, Matrices b) {
    Compute compute = test.compute();
    Scalars s = test.scalars(a.count());
    List<double[]> found = new ArrayList<>();
    compute.maxAbs(a, s);
    found.add(compute.read(s));
    compute.frobenius(a, s);
    found.add(compute.read(s));
    compute.distance(a, b, s);
    found.add(compute.read(s));
    compute.dot(a, b, s);
    found.add(compute.read(s));
    return found.toArray(new double[0][]);
  }

  @Property(tries = 20)
  void theLargestElementIsNaNIfAnyIs(
      @ForAll("shapes") Shape shape, @ForAll @IntRange(min = 0, max = 1_000_000) int place) {
    int at = place % shape.floats();
    int of = at / (shape.rows() * shape.cols());
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
      float[] x = TestMatrices.random(shape.floats(), 8);
      x[at] = bad;
      try (TestMatrices test = new TestMatrices(2)) {
        Scalars s = test.scalars(shape.count());
        test.compute().maxAbs(make(test, Layout.BLOCK, shape, x), s);
        double[] largest = test.compute().read(s);
        for (int k = 0; k < largest.length; k++) {
          if (k == of) {
            // Boxed: NaN equals NaN.
            assertThat(largest[k]).isEqualTo(Double.valueOf(Math.abs(bad)));
          } else {
            assertThat(largest[k]).isBetween(0.0, 1.0);
          }
        }
      }
    }
  }

  @Property(tries = 20)
  void directionsAreCappedByTheSquareRoot(@ForAll("shapes") Shape shape) {
    float[] x = TestMatrices.random(shape.floats(), 15);
    double[] squares = {4, 0.5, 0};
    double[] factors = {0.5, 1, 1};
    try (TestMatrices test = new TestMatrices(2)) {
      Scalars s = test.scalars(Arrays.copyOf(squares, shape.count()));
      Matrices y = make(test, Layout.BLOCK, shape, x);
      test.compute().capBySquareRoot(s, y);
      assertThat(test.get(y)).isEqualTo(combined(shape, factors, 0, x, 0, x));
    }
  }

  @Example
  void theNumberOfThreadsChangesNoBit() {
    List<float[]> one = everything(1);
    List<float[]> three = everything(3);
    assertThat(three).hasSameSizeAs(one);
    for (int i = 0; i < one.size(); i++) {
      assertThat(three.get(i)).as("operation %d", i).isEqualTo(one.get(i));
    }
  }

  private static List<float[]> everything(int threads) {
    List<float[]> results = new ArrayList<>();
    Shape shape = new Shape(2, 333, 333);
    try (TestMatrices test = new TestMatrices(threads)) {
      Compute compute = test.compute();
      for (Layout layout : new Layout[] {Layout.PACKED, Layout.TRANSPOSED_BLOCK}) {
        Matrices x = make(test, layout, shape, TestMatrices.random(shape.floats(), 16));
        Matrices y = make(test, layout, shape, TestMatrices.random(shape.floats(), 17));
        for (double[] reduced : reductions(test, x, y)) {
          // As floats they would lose bits: two halves of each double.
          results.add(Naive.floats(reduced));
          results.add(Naive.floats(Arrays.stream(reduced).map(d -> d - (float) d).toArray()));
        }
        compute.combine(0.7, x, -1.3, y);
        results.add(test.get(y));
        Scalars s = test.scalars(2);
        compute.frobenius(x, s);
        compute.divide(x, s, y);
        results.add(test.get(y));
        compute.skew(x, y);
        results.add(test.get(y));
        compute.symmetrize(x, y);
        results.add(test.get(y));
        compute.normalizeRows(2, false, x, y);
        results.add(test.get(y));
        Matrices a = make(test, layout, shape, null);
        compute.rowDirections(y, x, a, s);
        results.add(Naive.floats(compute.read(s)));
        results.add(test.get(a));
        compute.moveRows(2, false, test.scalars(0.1, 0.2), y, a, x);
        results.add(test.get(x));
      }
    }
    return results;
  }
}
