package io.muond.server.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.TestMatrices.Layout;
import io.muond.server.engine.cpu.Float64;
import java.util.Arrays;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** Mirror images, and what else is done to square matrices, against plain loops. */
class SquaresProperties {
  /** Around the side of the tiles in which mirror images are made. */
  @Provide
  Arbitrary<Integer> sides() {
    return Arbitraries.of(1, 2, 3, 63, 64, 65, 127, 128, 129, 200);
  }

  @Property(tries = 25)
  void mirrorImages(@ForAll("sides") int n, @ForAll Layout layout, @ForAll boolean inPlace) {
    float[] x = TestMatrices.random(2 * n * n, 9);
    float[] mirrored = Naive.transpose(2, n, n, x);
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices a = test.make(layout, 2, n, n, x);
      Matrices to = inPlace ? a : test.make(layout, 2, n, n);
      test.compute().skew(a, to);
      assertThat(test.get(to)).isEqualTo(Naive.skew(2, n, x));
      test.set(a, x);
      test.compute().symmetrize(a, to);
      float[] halves = Naive.symmetric(2, n, x);
      for (int i = 0; i < halves.length; i++) {
        halves[i] *= 0.5f;
      }
      assertThat(test.get(to)).isEqualTo(halves);
      test.set(a, x);
      Scalars s = test.scalars(2);
      test.compute().frobeniusOfSymmetricPart(a, s);
      for (int k = 0; k < 2; k++) {
        double square = 0;
        for (int i = k * n * n; i < (k + 1) * n * n; i++) {
          square += Math.pow((double) x[i] + mirrored[i], 2);
        }
        double norm = Math.sqrt(square);
        assertThat(test.compute().read(s)[k]).isCloseTo(norm, within(1e-6 * norm));
      }
    }
  }

  @Property(tries = 25)
  void negativeTransposes(
      @ForAll("sides") int rows, @ForAll("sides") int cols, @ForAll boolean block) {
    float[] x = TestMatrices.random(2 * rows * cols, 10);
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices a = test.make(block ? Layout.BLOCK : Layout.PACKED, 2, rows, cols, x);
      Matrices b =
          test.make(block ? Layout.PACKED : Layout.BLOCK, 2, /* rows= */ cols, /* cols= */ rows);
      test.compute().negativeTranspose(a, b);
      float[] expected = Naive.transpose(2, rows, cols, x);
      for (int i = 0; i < expected.length; i++) {
        expected[i] = -expected[i];
      }
      assertThat(test.get(b)).isEqualTo(expected);
    }
  }

  @Property(tries = 20)
  void multiplesOfTheIdentityAreAdded(@ForAll("sides") int n, @ForAll Layout layout) {
    float[] x = TestMatrices.random(2 * n * n, 11);
    try (TestMatrices test = new TestMatrices(2)) {
      Matrices a = test.make(layout, 2, n, n, x);
      test.compute().addIdentity(-2.5, a);
      for (int i = 0; i < x.length; i++) {
        x[i] += i % n == i / n % n ? -2.5f : 0;
      }
      assertThat(test.get(a)).isEqualTo(x);
    }
  }

  @Property(tries = 20)
  void scaledPolynomials(@ForAll("sides") int n, @ForAll Layout layout, @ForAll boolean inPlace) {
    float[] s = Naive.symmetric(3, n, TestMatrices.random(3 * n * n, 12));
    float[] s2 = Naive.symmetric(3, n, TestMatrices.random(3 * n * n, 13));
    double[] norms = {16, 0, 1e-3};
    try (TestMatrices test = new TestMatrices(3)) {
      Scalars f = test.scalars(norms);
      Matrices x = test.make(layout, 3, n, n, s);
      Matrices x2 = test.make(layout, 3, n, n, s2);
      Matrices p = inPlace ? x2 : test.make(layout, 3, n, n);
      test.compute().scaledPolynomial(8, -20, 15, f, x, x2, p);
      double[] expected = new double[s.length];
      for (int i = 0; i < s.length; i++) {
        double norm = norms[i / (n * n)];
        boolean diagonal = i % n == i / n % n;
        if (norm != 0) {
          expected[i] =
              ((diagonal ? 8 : 0) - 20 * s[i] / Math.sqrt(norm) + 15 * s2[i] / norm)
                  / Math.pow(norm, 0.25);
        }
      }
      Naive.assertClose(test.get(p), expected, 1e-6);
    }
  }

  @Property(tries = 20)
  void theLargestEigenvalueIsFoundFromBelow(@ForAll("sides") int n, @ForAll Layout layout) {
    float[] x = TestMatrices.random(3 * n * n, 14);
    // The last matrix is zero.
    Arrays.fill(x, 2 * n * n, 3 * n * n, 0);
    float[] h = Naive.floats(Naive.product(3, n, n, n, x, Naive.transpose(3, n, n, x)));
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices a = test.make(layout, 3, n, n, h);
      Matrices v = test.make(Layout.PACKED, 3, n, 1);
      Matrices w = test.make(Layout.PACKED, 3, n, 1);
      Scalars s = test.scalars(3);
      test.compute().largestEigenvalue(a, v, w, 200, s);
      double[] found = test.compute().read(s);
      for (int k = 0; k < 2; k++) {
        double[] matrix = new double[n * n];
        for (int i = 0; i < n * n; i++) {
          matrix[i] = x[k * n * n + i];
        }
        double largest = Math.pow(Float64.singularValues(n, n, matrix)[0], 2);
        assertThat(found[k]).isBetween(0.98 * largest, (1 + 1e-5) * largest);
      }
      assertThat(found[2]).isZero();
    }
  }
}
