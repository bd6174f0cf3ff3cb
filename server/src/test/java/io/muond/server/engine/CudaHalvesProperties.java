package io.muond.server.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.server.engine.Compute.Term;
import io.muond.server.engine.TestMatrices.Layout;
import io.muond.server.linalg.AccurateProducts;
import io.muond.server.linalg.AccurateProducts.Operand;
import io.muond.server.linalg.Carver;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** Operations on 16-bit operands of every layout, against loops in float64. */
class CudaHalvesProperties {
  /** Tensor cores truncate every few sums. */
  private static final double TRUNCATION = 0x1p-23;

  @Provide
  Arbitrary<Integer> sizes() {
    return Arbitraries.of(1, 2, 7, 16, 17, 64, 65, 130, 256);
  }

  @Provide
  Arbitrary<Precision> halves() {
    return Arbitraries.of(Precision.FLOAT16, Precision.BFLOAT16);
  }

  /** What rounding to 16 bits costs, relative. */
  private static double unit(ElementType type) {
    return type == ElementType.FLOAT16 ? 0x1p-11 : 0x1p-8;
  }

  /** Matrices of 16 bits that hold what x does, rounded, in the layout of x. */
  private static Matrices rounded(TestMatrices test, ElementType type, Matrices x) {
    Matrices half = test.halves(type, x);
    test.compute().round(1, null, x, half);
    return half;
  }

  private static float[] widened(TestMatrices test, Matrices half) {
    Layout layout = half.transposed() ? Layout.TRANSPOSED : Layout.PACKED;
    Matrices x = test.make(layout, half.count(), half.rows(), half.cols());
    test.compute().widen(half, x);
    return test.get(x);
  }

  @Property(tries = 60)
  void products(
      @ForAll("sizes") int m,
      @ForAll("sizes") int n,
      @ForAll("sizes") int depth,
      @ForAll Layout ofA,
      @ForAll Layout ofB,
      @ForAll Layout ofC,
      @ForAll("halves") Precision precision,
      @ForAll boolean narrow) {
    ElementType type = precision.operands();
    try (TestMatrices test = new TestMatrices(1)) {
      float[] random = TestMatrices.random(2 * m * depth, 1);
      Matrices a = rounded(test, type, test.make(ofA, 2, m, depth, random));
      random = TestMatrices.random(2 * n * depth, 2);
      Matrices b = rounded(test, type, test.make(ofB, 2, n, depth, random));
      Matrices wide = test.make(ofC, 2, m, n);
      Matrices c = narrow ? test.halves(type, wide) : wide;
      test.compute().product(-0.5, a, false, b, true, 0, c, precision);
      float[] bT = Naive.transpose(2, n, depth, widened(test, b));
      double[] expected = Naive.product(2, m, n, depth, widened(test, a), bT);
      for (int i = 0; i < expected.length; i++) {
        expected[i] *= -0.5;
      }
      double tolerance = TRUNCATION * (2 * depth + 4) + (narrow ? unit(type) : 0);
      Naive.assertClose(narrow ? widened(test, c) : test.get(c), expected, tolerance);
    }
  }

  @Property(tries = 40)
  void symmetricAndSkewProducts(
      @ForAll("sizes") int n,
      @ForAll Layout ofA,
      @ForAll Layout ofC,
      @ForAll("halves") Precision precision,
      @ForAll boolean narrow) {
    halfProducts(n, ofA, ofC, precision, narrow);
  }

  @Example
  void symmetricAndSkewProductsOfManyTiles() {
    halfProducts(512, Layout.PACKED, Layout.TRANSPOSED, Precision.FLOAT16, true);
    // Tiles of 260 columns, which do not begin on boundaries of 16 bytes.
    halfProducts(520, Layout.PACKED, Layout.PACKED, Precision.FLOAT16, true);
    halfProducts(514, Layout.BLOCK, Layout.PACKED, Precision.BFLOAT16, false);
  }

  private static void halfProducts(
      int n, Layout ofA, Layout ofC, Precision precision, boolean narrow) {
    ElementType type = precision.operands();
    float[] skew = Naive.skew(2, n, TestMatrices.random(2 * n * n, 3));
    try (TestMatrices test = new TestMatrices(1)) {
      Compute compute = test.compute();
      Matrices a = rounded(test, type, test.make(ofA, 2, n, n, skew));
      float[] x = widened(test, a);
      Matrices wide = test.make(ofC, 2, n, n);
      Matrices c = narrow ? test.halves(type, wide) : wide;
      compute.symmetricProduct(1, a, true, a, false, 0, null, 0.5, c, precision);
      float[] squares = narrow ? widened(test, c) : test.get(c);
      double[] expected = Naive.product(2, n, n, n, Naive.transpose(2, n, n, x), x);
      for (int i = 0; i < expected.length; i++) {
        expected[i] += i % n == i / n % n ? 0.5 : 0;
      }
      double tolerance = TRUNCATION * (2 * n + 8) + (narrow ? 2 * unit(type) : 0);
      Naive.assertClose(squares, expected, tolerance);
      assertThat(Naive.transpose(2, n, n, squares)).isEqualTo(squares);
      Matrices s = rounded(test, type, test.make(ofC, 2, n, n, squares));
      Matrices cube = narrow ? test.halves(type, wide) : test.make(ofA, 2, n, n);
      compute.skewProduct(1, a, false, s, false, cube, precision);
      float[] k = narrow ? widened(test, cube) : test.get(cube);
      double[] product = Naive.product(2, n, n, n, x, widened(test, s));
      // Rounded, x and s do not quite commute: their product is skew to so many bits only.
      Naive.assertClose(k, product, 8 * unit(type));
      float[] negated = Naive.transpose(2, n, n, k);
      for (int i = 0; i < k.length; i++) {
        assertThat(k[i] + negated[i]).isZero();
      }
    }
  }

  /** To float32 accuracy, though every operand has 16 bits. */
  @Property(tries = 40)
  void splitProducts(
      @ForAll("sizes") int m,
      @ForAll("sizes") int n,
      @ForAll("sizes") int depth,
      @ForAll Layout ofA,
      @ForAll Layout ofC,
      @ForAll boolean exact) {
    float[] a = TestMatrices.random(2 * m * depth, 4);
    float[] b = TestMatrices.random(2 * depth * n, 5);
    float[] c = TestMatrices.random(2 * m * n, 6);
    try (TestMatrices test = new TestMatrices(1)) {
      AccurateProducts accurate = new AccurateProducts(test.compute(), Precision.FLOAT16);
      Operand x = split(test, accurate, test.make(ofA, 2, m, depth, a));
      Matrices right = test.make(Layout.PACKED, 2, depth, n, b);
      Matrices half = rounded(test, ElementType.FLOAT16, right);
      Operand y = exact ? Operand.exact(half) : split(test, accurate, right);
      Matrices z = test.make(ofC, 2, m, n, c);
      accurate.product(1, x, false, y, false, 2, z);
      double[] expected = Naive.product(2, m, n, depth, a, exact ? widened(test, half) : b);
      for (int i = 0; i < expected.length; i++) {
        expected[i] += 2 * c[i];
      }
      Naive.assertClose(test.get(z), expected, TRUNCATION * (3 * depth + 8));
    }
  }

  private static Operand split(TestMatrices test, AccurateProducts accurate, Matrices x) {
    Carver counting = Carver.counting(x.count());
    accurate.room(counting, x.rows(), x.cols(), x.transposed());
    Carver carver = new Carver(test.region(counting.used()), x.count());
    return accurate.operand(x, accurate.room(carver, x.rows(), x.cols(), x.transposed()));
  }

  @Property(tries = 40)
  void splitGramMatrices(
      @ForAll("sizes") int m, @ForAll("sizes") int n, @ForAll Layout ofA, @ForAll Layout ofC) {
    float[] a = TestMatrices.random(2 * m * n, 7);
    try (TestMatrices test = new TestMatrices(1)) {
      AccurateProducts accurate = new AccurateProducts(test.compute(), Precision.BFLOAT16);
      Matrices c = test.make(ofC, 2, n, n);
      accurate.gram(split(test, accurate, test.make(ofA, 2, m, n, a)), -1, c);
      double[] expected = Naive.product(2, n, n, m, Naive.transpose(2, m, n, a), a);
      float[] found = test.get(c);
      for (int i = 0; i < expected.length; i++) {
        boolean diagonal = i % n == i / n % n;
        expected[i] -= diagonal ? 1 : 0;
        double slack = diagonal ? Math.ulp((float) expected[i]) : TRUNCATION * (3 * m + 8);
        assertThat(Math.abs(found[i] - expected[i])).isLessThanOrEqualTo(slack);
      }
      assertThat(Naive.transpose(2, n, n, found)).isEqualTo(found);
    }
  }

  @Property(tries = 20)
  void inversesOfTriangles(@ForAll("sizes") int n, @ForAll boolean block) {
    float[] r = TestMatrices.random(2 * n * n, 9);
    for (int i = 0; i < r.length; i++) {
      boolean diagonal = i % n == i / n % n;
      // What lies below the diagonal is not to be read.
      r[i] = i % n < i / n % n ? Float.NaN : diagonal ? 1 + Math.abs(r[i]) : 4 * r[i] / n;
    }
    try (TestMatrices test = new TestMatrices(1)) {
      Matrices x = test.make(block ? Layout.BLOCK : Layout.PACKED, 2, n, n, r);
      test.compute().invertUpper(x);
      float[] inverse = test.get(x);
      double[] product = Naive.product(2, n, n, n, inverse, Naive.upper(2, n, r));
      for (int i = 0; i < product.length; i++) {
        double expected = i % n == i / n % n ? 1 : 0;
        assertThat(Math.abs(product[i] - expected)).isLessThanOrEqualTo(1e-5);
        if (i % n < i / n % n) {
          assertThat(inverse[i]).isZero();
        }
      }
    }
  }

  @Example
  void sumsMayAddToTheirResult() {
    int n = 33;
    float[] e = Naive.symmetric(1, n, TestMatrices.random(n * n, 8));
    try (TestMatrices test = new TestMatrices(1)) {
      Matrices x = rounded(test, ElementType.FLOAT16, test.make(Layout.PACKED, 1, n, n, e));
      float[] square = Naive.floats(Naive.product(1, n, n, n, widened(test, x), widened(test, x)));
      for (boolean inPlace : new boolean[] {true, false}) {
        Matrices other = test.make(Layout.BLOCK, 1, n, n, e);
        Matrices c = inPlace ? other : test.make(Layout.PACKED, 1, n, n);
        Term term = new Term(0.5, x, false, x, false);
        test.compute().symmetricSum(List.of(term, term), -2, other, 3, c);
        double[] expected = new double[n * n];
        for (int i = 0; i < expected.length; i++) {
          expected[i] = (double) square[i] - 2 * e[i] + (i % n == i / n ? 3 : 0);
        }
        Naive.assertClose(test.get(c), expected, TRUNCATION * (3 * n));
      }
    }
  }

  @Example
  void operandsOfAnotherTypeAreRefused() {
    try (TestMatrices test = new TestMatrices(1)) {
      Matrices x = test.make(Layout.PACKED, 1, 4, 4, new float[16]);
      Matrices y = test.make(Layout.PACKED, 1, 4, 4);
      assertThatThrownBy(
              () -> test.compute().product(1, x, false, x, false, 0, y, Precision.FLOAT16))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("operands: FLOAT32, FLOAT32 (expected: FLOAT16)");
    }
  }
}
