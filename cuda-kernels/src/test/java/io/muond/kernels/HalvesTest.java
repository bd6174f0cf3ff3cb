package io.muond.kernels;

import static io.muond.kernels.Halves.rounded;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.kernels.Shape.Layout;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Operands of tensor cores, against plain loops. */
class HalvesTest {
  private static final List<WireType> TYPES = List.of(WireType.BFLOAT16, WireType.FLOAT16);

  private Device device;
  private HalfKernels kernels;

  @BeforeEach
  void open() {
    device = Device.open();
    kernels = device.kernels().halves();
  }

  @AfterEach
  void close() {
    if (device != null) {
      device.close();
    }
  }

  private static Stream<Arguments> withTypes(Stream<Shape> shapes) {
    List<Arguments> all = new ArrayList<>();
    shapes
        .filter(shape -> shape.elements() <= 20_000)
        .forEach(shape -> TYPES.forEach(type -> all.add(Arguments.of(type, shape))));
    return all.stream();
  }

  static Stream<Arguments> any() {
    return withTypes(Shape.any());
  }

  static Stream<Arguments> square() {
    return withTypes(Shape.square());
  }

  @ParameterizedTest
  @MethodSource("any")
  void roundsAndWidens(WireType type, Shape shape) {
    float[] x = Floats.random(shape, 2);
    Floats from = new Floats(device, shape, x);
    Halves to = new Halves(device, type, shape.in(Layout.PACKED));
    kernels.toHalf(device.stream(), type, 1, 0, from.batch(), to.batch());
    assertThat(to.get()).isEqualTo(rounded(type, x));
    Halves odd = new Halves(device, type, shape, rounded(type, x));
    Floats back = new Floats(device, shape.in(Layout.ALIGNED_BLOCK));
    kernels.fromHalf(device.stream(), type, odd.batch(), back.batch());
    assertThat(back.get()).isEqualTo(rounded(type, x));
  }

  @ParameterizedTest
  @MethodSource("any")
  void dividesBeforeItRounds(WireType type, Shape shape) {
    float[] x = Floats.random(shape, 3);
    double[] s = new double[shape.count()];
    for (int k = 0; k < s.length; k++) {
      s[k] = k % 4 == 3 ? 0 : 3.7 + k % 5;
    }
    float[] expected = new float[x.length];
    for (int e = 0; e < x.length; e++) {
      double by = s[e / (shape.rows() * shape.cols())];
      expected[e] = by == 0 ? 0 : (float) (128 / by * x[e]);
    }
    Floats from = new Floats(device, shape, x);
    Halves to = new Halves(device, type, shape.in(Layout.ODD_BLOCK));
    kernels.toHalf(device.stream(), type, 128, device.scalars(s), from.batch(), to.batch());
    float[] found = to.get();
    float[] nearest = rounded(type, expected);
    for (int e = 0; e < found.length; e++) {
      if (found[e] != nearest[e]) {
        assertThat(found[e]).as("element %d", e).isEqualTo(nearest[e]);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void splitsIntoTwentyTwoBits(Shape shape) {
    if (shape.elements() > 20_000) {
      return;
    }
    float[] x = Floats.random(shape, 4);
    Halves high = new Halves(device, WireType.FLOAT16, shape.in(Layout.ALIGNED_BLOCK));
    Halves low = new Halves(device, WireType.FLOAT16, shape.in(Layout.PACKED));
    Floats from = new Floats(device, shape, x);
    kernels.splitHalf(device.stream(), from.batch(), high.batch(), low.batch());
    float[] highs = high.get();
    float[] lows = low.get();
    assertThat(highs).isEqualTo(rounded(WireType.FLOAT16, x));
    for (int e = 0; e < x.length; e++) {
      double sum = highs[e] + (double) lows[e] / 2048;
      double slack = Math.max(Math.abs(x[e]) * Math.scalb(1, -22), Math.scalb(1, -36));
      assertThat(Math.abs(sum - x[e])).as("%s", x[e]).isLessThanOrEqualTo(slack);
    }
  }

  private static boolean upper(Shape shape, int e) {
    return e % shape.cols() > e / shape.cols() % shape.rows();
  }

  /** Index of the element that is (j, i) where e is (i, j). */
  private static int mirrored(Shape shape, int e) {
    int n = shape.rows();
    return e / (n * n) * n * n + e % n * n + e / n % n;
  }

  /** Sets the elements on and below the diagonal, and leaves the others uninitialised. */
  private Halves lower(WireType type, Shape shape, float[] x) {
    Halves c = new Halves(device, type, shape);
    for (int e = 0; e < x.length; e++) {
      if (!upper(shape, e)) {
        c.set(e, x[e]);
      }
    }
    return c;
  }

  @ParameterizedTest
  @MethodSource("square")
  void mirrorsWithoutReadingTheUpperTriangle(WireType type, Shape shape) {
    float[] x = rounded(type, Floats.random(shape, 5));
    float[] e = rounded(type, Floats.random(shape, 6));
    float[] plain = new float[x.length];
    float[] sum = new float[x.length];
    float[] skew = new float[x.length];
    for (int at = 0; at < x.length; at++) {
      int other = mirrored(shape, at);
      int known = upper(shape, at) ? other : at;
      boolean diagonal = other == at;
      e[at] = e[known];
      plain[at] = x[known];
      float added = x[known] + 0.5f * e[known];
      sum[at] = diagonal ? added + 1.25f : added;
      skew[at] = diagonal ? 0 : upper(shape, at) ? -x[known] : x[known];
    }
    Halves c = lower(type, shape, x);
    kernels.mirrorSymmetric(device.stream(), type, c.batch(), 7, null, 0);
    assertThat(c.get()).isEqualTo(plain);
    Halves added = lower(type, shape, x);
    Halves other = new Halves(device, type, shape.in(Layout.ALIGNED_BLOCK), e);
    kernels.mirrorSymmetric(device.stream(), type, added.batch(), 0.5, other.batch(), 1.25);
    assertThat(added.get()).isEqualTo(rounded(type, sum));
    Halves turned = lower(type, shape, x);
    kernels.mirrorSkew(device.stream(), type, turned.batch());
    assertThat(turned.get()).containsExactly(skew);
  }

  @ParameterizedTest
  @MethodSource("square")
  void evaluatesTheScaledPolynomial(WireType type, Shape shape) {
    float[] s = rounded(type, Floats.random(shape, 7));
    float[] s2 = Floats.random(shape, 8);
    double[] f = new double[shape.count()];
    for (int k = 0; k < f.length; k++) {
      f[k] = k == 1 ? 0 : 2.5 + k;
    }
    Halves p = new Halves(device, type, shape, s);
    Floats second = new Floats(device, shape.in(Layout.ODD_BLOCK), s2);
    kernels.scaledPolynomial(
        device.stream(), type, 3, -2, 0.7, device.scalars(f), p.batch(), second.batch(), p.batch());
    float[] found = p.get();
    double unit = type == WireType.FLOAT16 ? Math.scalb(1, -11) : Math.scalb(1, -8);
    for (int e = 0; e < found.length; e++) {
      double norm = f[e / (shape.rows() * shape.rows())];
      double diagonal = mirrored(shape, e) == e ? 3 * Math.pow(norm, -0.25) : 0;
      double expected =
          norm == 0
              ? 0
              : diagonal - 2 * Math.pow(norm, -0.75) * s[e] + 0.7 * Math.pow(norm, -1.25) * s2[e];
      double slack = unit * Math.abs(expected) + 1e-6;
      assertThat(Math.abs(found[e] - expected)).as("element %d", e).isLessThanOrEqualTo(slack);
    }
  }

  @Test
  void refusesFloat32() {
    Batch x = Batch.packed(256, 1, 2, 2);
    assertThatThrownBy(() -> kernels.toHalf(device.stream(), WireType.FLOAT32, 1, 0, x, x))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("type: FLOAT32 (expected: BFLOAT16 or FLOAT16)");
  }
}
