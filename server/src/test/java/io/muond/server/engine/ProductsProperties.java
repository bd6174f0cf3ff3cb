package io.muond.server.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.server.engine.TestMatrices.Layout;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

/** Products of every shape, layout and combination of flags against loops in float64. */
class ProductsProperties {
  private static final double EPSILON = 0x1p-23;

  /** Around the heights of the blocks that products are cut into. */
  @Provide
  Arbitrary<Integer> sizes() {
    return Arbitraries.of(1, 2, 5, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200);
  }

  @Provide
  Arbitrary<Double> factors() {
    return Arbitraries.of(0.0, 1.0, -0.75);
  }

  /** An operand: its layout in memory and whether its transpose is taken. */
  record Operand(Layout layout, boolean transpose) {
    Matrices make(TestMatrices test, int count, int rows, int cols, float[] values) {
      return transpose
          ? test.make(layout, count, cols, rows, Naive.transpose(count, rows, cols, values))
          : test.make(layout, count, rows, cols, values);
    }
  }

  @Provide
  Arbitrary<Operand> operands() {
    return Combinators.combine(Arbitraries.of(Layout.values()), Arbitraries.of(true, false))
        .as(Operand::new);
  }

  @Property(tries = 80)
  void products(
      @ForAll("sizes") int m,
      @ForAll("sizes") int n,
      @ForAll("sizes") int depth,
      @ForAll("operands") Operand ofA,
      @ForAll("operands") Operand ofB,
      @ForAll Layout ofC,
      @ForAll("factors") double beta,
      @ForAll @IntRange(min = 1, max = 3) int count) {
    product(m, n, depth, ofA, ofB, ofC, beta, count);
  }

  @Example
  void productsOfManyBlocks() {
    Operand plain = new Operand(Layout.BLOCK, false);
    Operand turned = new Operand(Layout.TRANSPOSED_BLOCK, false);
    product(520, 520, 129, plain, turned, Layout.PACKED, 1, 1);
    product(2_000, 33, 64, turned, plain, Layout.TRANSPOSED_BLOCK, 0, 1);
    product(33, 2_000, 64, plain, plain, Layout.BLOCK, 0, 2);
    product(4, 4, 3, plain, turned, Layout.PACKED, 0, 40);
  }

  private static void product(
      int m, int n, int depth, Operand ofA, Operand ofB, Layout ofC, double beta, int count) {
    float[] a = TestMatrices.random(count * m * depth, 1);
    float[] b = TestMatrices.random(count * depth * n, 2);
    float[] c = TestMatrices.random(count * m * n, 3);
    double alpha = -1.5;
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices x = ofA.make(test, count, m, depth, a);
      Matrices y = ofB.make(test, count, depth, n, b);
      // With beta = 0 the result's memory is NaN, and must not be read.
      Matrices z = test.make(ofC, count, m, n);
      if (beta != 0) {
        test.set(z, c);
      }
      test.compute()
          .product(alpha, x, ofA.transpose(), y, ofB.transpose(), beta, z, Precision.FLOAT32);
      double[] expected = Naive.product(count, m, n, depth, a, b);
      for (int i = 0; i < expected.length; i++) {
        expected[i] = alpha * expected[i] + beta * c[i];
      }
      Naive.assertClose(test.get(z), expected, EPSILON * (2 * depth + 4));
    }
  }

  /** What symmetricProduct adds to the product. */
  enum Added {
    NOTHING,
    IDENTITY,
    OTHER,
    RESULT
  }

  @Property(tries = 40)
  void gramMatrices(
      @ForAll("sizes") int n,
      @ForAll("sizes") int depth,
      @ForAll("operands") Operand operand,
      @ForAll Layout ofE,
      @ForAll Layout ofC,
      @ForAll Added added,
      @ForAll @IntRange(min = 1, max = 3) int count) {
    gram(n, depth, operand, ofE, ofC, added, count);
  }

  @Example
  void gramMatricesOfManyBlocks() {
    Operand plain = new Operand(Layout.PACKED, false);
    for (Added added : Added.values()) {
      gram(520, 40, plain, Layout.BLOCK, Layout.PACKED, added, 1);
    }
    gram(513, 40, plain, Layout.BLOCK, Layout.TRANSPOSED_BLOCK, Added.RESULT, 2);
    gram(1024, 20, plain, Layout.PACKED, Layout.TRANSPOSED_BLOCK, Added.OTHER, 2);
  }

  private static void gram(
      int n, int depth, Operand operand, Layout ofE, Layout ofC, Added added, int count) {
    float[] a = TestMatrices.random(count * n * depth, 4);
    float[] e = Naive.symmetric(count, n, TestMatrices.random(count * n * n, 5));
    double alpha = 0.5;
    double beta = added == Added.OTHER || added == Added.RESULT ? -2 : 0;
    double delta = added == Added.NOTHING ? 0 : 3;
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices x = operand.make(test, count, n, depth, a);
      Matrices z = test.make(ofC, count, n, n);
      if (added == Added.RESULT) {
        test.set(z, e);
      }
      Matrices y =
          switch (added) {
            case NOTHING, IDENTITY -> null;
            case OTHER -> test.make(ofE, count, n, n, e);
            case RESULT -> z;
          };
      boolean t = operand.transpose();
      test.compute().symmetricProduct(alpha, x, t, x, !t, beta, y, delta, z, Precision.FLOAT32);
      double[] expected = Naive.product(count, n, n, depth, a, Naive.transpose(count, n, depth, a));
      for (int i = 0; i < expected.length; i++) {
        boolean diagonal = i % n == i / n % n;
        expected[i] = alpha * expected[i] + beta * e[i] + (diagonal ? delta : 0);
      }
      float[] c = test.get(z);
      Naive.assertClose(c, expected, EPSILON * (2 * depth + 8));
      assertThat(Naive.transpose(count, n, n, c)).isEqualTo(c);
    }
  }

  @Property(tries = 30)
  void squaresPlusTheOperandItself(@ForAll("sizes") int n, @ForAll Layout ofA, @ForAll Layout ofC) {
    float[] a = Naive.symmetric(2, n, TestMatrices.random(2 * n * n, 6));
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices x = test.make(ofA, 2, n, n, a);
      Matrices z = test.make(ofC, 2, n, n);
      test.compute().symmetricProduct(2, x, false, x, false, -3, x, 0.5, z, Precision.FLOAT32);
      double[] expected = Naive.product(2, n, n, n, a, a);
      for (int i = 0; i < expected.length; i++) {
        expected[i] = 2 * expected[i] - 3 * a[i] + (i % n == i / n % n ? 0.5 : 0);
      }
      float[] c = test.get(z);
      Naive.assertClose(c, expected, EPSILON * (4 * n + 8));
      assertThat(Naive.transpose(2, n, n, c)).isEqualTo(c);
      assertThat(test.get(x)).isEqualTo(a);
    }
  }

  @Property(tries = 40)
  void skewProducts(
      @ForAll("sizes") int n,
      @ForAll("operands") Operand ofA,
      @ForAll("operands") Operand ofB,
      @ForAll Layout ofC,
      @ForAll @IntRange(min = 1, max = 3) int count) {
    skew(n, ofA, ofB, ofC, count);
  }

  @Example
  void skewProductsOfManyBlocks() {
    Operand plain = new Operand(Layout.PACKED, false);
    Operand turned = new Operand(Layout.BLOCK, true);
    skew(520, plain, turned, Layout.PACKED, 1);
    skew(257, turned, plain, Layout.TRANSPOSED_BLOCK, 2);
  }

  private static void skew(int n, Operand ofA, Operand ofB, Layout ofC, int count) {
    float[] a = Naive.skew(count, n, TestMatrices.random(count * n * n, 7));
    float[] b = Naive.floats(Naive.product(count, n, n, n, a, a));
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices x = ofA.make(test, count, n, n, a);
      Matrices y = ofB.make(test, count, n, n, b);
      Matrices z = test.make(ofC, count, n, n);
      test.compute().skewProduct(0.5, x, ofA.transpose(), y, ofB.transpose(), z, Precision.FLOAT32);
      double[] expected = Naive.product(count, n, n, n, a, b);
      for (int i = 0; i < expected.length; i++) {
        expected[i] *= 0.5;
      }
      float[] c = test.get(z);
      Naive.assertClose(c, expected, EPSILON * (4 * n + 8));
      float[] negated = Naive.transpose(count, n, n, c);
      for (int i = 0; i < c.length; i++) {
        assertThat(c[i] + negated[i]).isZero();
      }
    }
  }

  @Property(tries = 40)
  void choleskyFactorsOfShiftedGramMatrices(
      @ForAll("sizes") int n,
      @ForAll @IntRange(min = 0, max = 3) int missing,
      @ForAll boolean block,
      @ForAll @IntRange(min = -12, max = 12) int exponent) {
    int rank = Math.max(0, n - missing * (n + 2) / 3);
    float scale = (float) Math.pow(10, exponent);
    float[] factor = TestMatrices.random(2 * n * Math.max(1, rank), 8);
    for (int i = 0; i < factor.length; i++) {
      factor[i] *= rank == 0 ? 0 : scale;
    }
    int depth = Math.max(1, rank);
    float[] x =
        Naive.floats(Naive.product(2, n, n, depth, factor, Naive.transpose(2, n, depth, factor)));
    double relative = 1e-6 * Math.sqrt(n);
    double absolute = rank == 0 ? 1e-30 : 0;
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices r = test.make(block ? Layout.BLOCK : Layout.PACKED, 2, n, n, x);
      test.compute().cholesky(relative, absolute, r);
      float[] upper = Naive.upper(2, n, test.get(r));
      assertFactor(n, x, upper, relative, absolute);
    }
  }

  /** RᵀR = x + σI with a σ that is at least the one asked for, and not much larger. */
  private static void assertFactor(int n, float[] x, float[] r, double relative, double absolute) {
    double[] product = Naive.product(2, n, n, n, Naive.transpose(2, n, n, r), r);
    for (int k = 0; k < 2; k++) {
      double largest = 0;
      for (int i = 0; i < n; i++) {
        largest = Math.max(largest, x[(k * n + i) * n + i]);
      }
      double sigma = relative * largest + absolute;
      double rounding = EPSILON * (n + 4) * largest;
      for (int i = 0; i < n; i++) {
        assertThat(r[(k * n + i) * n + i]).isPositive();
        for (int j = 0; j < n; j++) {
          double excess = product[(k * n + i) * n + j] - x[(k * n + i) * n + j];
          if (i == j) {
            assertThat(excess).isBetween(0.9 * sigma - rounding, 11 * sigma + rounding);
          } else {
            assertThat(Math.abs(excess)).isLessThanOrEqualTo(rounding);
          }
        }
      }
    }
  }

  /**
   * A device goes on where the CPU begins again with a larger shift: it shifts the pivots that need
   * it, each by its own.
   */
  private static void assertShiftedByPivot(int n, float[] x, float[] r) {
    double[] product = Naive.product(2, n, n, n, Naive.transpose(2, n, n, r), r);
    for (int i = 0; i < r.length; i++) {
      boolean diagonal = i % n == i / n % n;
      double excess = product[i] - x[i];
      double rounding = EPSILON * (n + 4);
      if (diagonal) {
        assertThat(excess).isBetween(-rounding, x[i] + rounding);
      } else {
        assertThat(Math.abs(excess)).isLessThanOrEqualTo(rounding);
      }
    }
  }

  @Example
  void choleskyTakesALargerShiftThanZeroIfItMust() {
    int n = 40;
    float[] v = TestMatrices.random(2 * n, 9);
    float[] x = Naive.floats(Naive.product(2, n, n, 1, v, v));
    try (TestMatrices test = new TestMatrices(3)) {
      Matrices r = test.make(Layout.BLOCK, 2, n, n, x);
      test.compute().cholesky(0, 0, r);
      float[] factor = Naive.upper(2, n, test.get(r));
      if (TestEngines.isCuda()) {
        assertShiftedByPivot(n, x, factor);
      } else {
        assertFactor(n, x, factor, 1e-6, 0);
      }
    }
  }

  @Property(tries = 40)
  void triangularSystemsFromTheRight(
      @ForAll("sizes") int m,
      @ForAll("sizes") int n,
      @ForAll Layout layout,
      @ForAll boolean block,
      @ForAll @IntRange(min = 1, max = 3) int count) {
    solve(m, n, layout, block, count);
  }

  @Example
  void tallTriangularSystems() {
    for (Layout layout : Layout.values()) {
      solve(1_500, 65, layout, true, 1);
    }
  }

  private static void solve(int m, int n, Layout layout, boolean block, int count) {
    float[] r = TestMatrices.random(count * n * n, 10);
    for (int i = 0; i < r.length; i++) {
      r[i] = i % n == i / n % n ? 1 + Math.abs(r[i]) : r[i] / n;
    }
    float[] x = TestMatrices.random(count * m * n, 11);
    try (TestMatrices test = new TestMatrices(3)) {
      // The strict lower triangle of R is there, and must not be read as part of it.
      Matrices upper = test.make(block ? Layout.BLOCK : Layout.PACKED, count, n, n, r);
      Matrices y = test.make(layout, count, m, n, x);
      test.compute().solveUpper(upper, y);
      double[] back = Naive.product(count, m, n, n, test.get(y), Naive.upper(count, n, r));
      Naive.assertClose(x, back, EPSILON * 4 * (n + 4));
    }
  }
}
