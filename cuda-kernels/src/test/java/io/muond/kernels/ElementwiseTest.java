package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.kernels.Shape.Layout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Element-wise launchers against plain loops in float64. */
class ElementwiseTest {
  private Device device;

  @BeforeEach
  void open() {
    device = Device.open();
  }

  @AfterEach
  void close() {
    if (device != null) {
      device.close();
    }
  }

  /** What becomes of element e, given x and y there. */
  private interface Element {
    double apply(int matrix, double x, double y);
  }

  private static double[] each(Shape shape, float[] x, float[] y, Element f) {
    double[] z = new double[x.length];
    for (int e = 0; e < z.length; e++) {
      z[e] = f.apply(e / (shape.rows() * shape.cols()), x[e], y[e]);
    }
    return z;
  }

  /** One number per matrix: 0, then others. */
  private static double[] perMatrix(Shape shape) {
    double[] s = new double[shape.count()];
    for (int k = 1; k < s.length; k++) {
      s[k] = 0.5 + k % 7;
    }
    return s;
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void combines(Shape shape) {
    float[] x = Floats.special(shape, 1);
    float[] y = Floats.random(shape, 2);
    Floats from = new Floats(device, shape, x);
    Floats to = new Floats(device, shape.in(Layout.ODD_BLOCK), y);
    ElementwiseKernels kernels = device.kernels().elementwise();
    kernels.combine(device.stream(), 0.3, 0, from.batch(), -1.7, to.batch());
    double a = (float) 0.3;
    double b = (float) -1.7;
    Floats.assertClose(to.get(), each(shape, x, y, (k, p, q) -> a * p + b * q), 2, 4);
    // Without y, which is not initialised.
    Floats fresh = new Floats(device, shape);
    kernels.combine(device.stream(), 1, 0, from.batch(), 0, fresh.batch());
    assertThat(fresh.get()).isEqualTo(x);
    // In place, with a coefficient for each matrix.
    double[] s = perMatrix(shape);
    kernels.combine(device.stream(), 2, device.scalars(s), from.batch(), 0, from.batch());
    Floats.assertClose(from.get(), each(shape, x, y, (k, p, q) -> 2 * s[k] * p), 0, 0);
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void dividesAndCopiesWhereZero(Shape shape) {
    float[] x = Floats.random(shape, 1);
    double[] s = perMatrix(shape);
    s[s.length - 1] = shape.count() > 1 ? 1e-300 : 0;
    Floats from = new Floats(device, shape, x);
    Floats to = new Floats(device, shape);
    long scalars = device.scalars(s);
    ElementwiseKernels kernels = device.kernels().elementwise();
    kernels.divide(device.stream(), from.batch(), scalars, to.batch());
    double[] quotients = each(shape, x, x, (k, p, q) -> s[k] == 0 ? 0 * p : p * (1 / s[k]));
    Floats.assertClose(to.get(), quotients, 0, 0);
    float[] before = to.get();
    kernels.copyWhereZero(device.stream(), scalars, from.batch(), to.batch());
    double[] copied = each(shape, x, before, (k, p, q) -> s[k] == 0 ? p : q);
    Floats.assertClose(to.get(), copied, 0, 0);
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void zeroesAndCaps(Shape shape) {
    float[] y = Floats.special(shape, 3);
    double[] s = perMatrix(shape);
    s[s.length - 1] = shape.count() == 2 ? Double.NaN : 16;
    Floats to = new Floats(device, shape, y);
    ElementwiseKernels kernels = device.kernels().elementwise();
    kernels.capBySquareRoot(device.stream(), device.scalars(s), to.batch());
    double[] capped =
        each(shape, y, y, (k, p, q) -> p * (float) (1 / Math.max(1, Math.sqrt(s[k]))));
    Floats.assertClose(to.get(), capped, 1, 0);
    Floats fresh = new Floats(device, shape);
    kernels.zero(device.stream(), fresh.batch());
    assertThat(fresh.get()).isEqualTo(new float[y.length]);
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#square")
  void evaluatesTheScaledPolynomial(Shape shape) {
    float[] s = Floats.random(shape, 4);
    float[] s2 = Floats.random(shape, 5);
    double[] f = perMatrix(shape);
    Floats first = new Floats(device, shape, s);
    Floats second = new Floats(device, shape.in(Layout.ALIGNED_BLOCK), s2);
    device
        .kernels()
        .elementwise()
        .scaledPolynomial(
            device.stream(),
            3,
            -2,
            0.7,
            device.scalars(f),
            first.batch(),
            second.batch(),
            second.batch());
    double[] expected = each(shape, s, s2, (k, p, q) -> polynomial(f[k], p, q));
    int n = shape.rows();
    for (int e = 0; e < expected.length; e++) {
      double norm = f[e / (n * n)];
      if (e / n % n == e % n && norm != 0) {
        expected[e] += 3 * Math.pow(norm, -0.25);
      }
    }
    Floats.assertClose(second.get(), expected, 3, 4);
  }

  private static double polynomial(double f, double s, double s2) {
    return f == 0 ? 0 : -2 * Math.pow(f, -0.75) * s + 0.7 * Math.pow(f, -1.25) * s2;
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void appliesMomentum(Shape shape) {
    float[] g = Floats.random(shape, 6);
    float[] m = Floats.special(shape, 7);
    double beta = (float) 0.9;
    for (boolean nesterov : new boolean[] {false, true}) {
      Floats gradient = new Floats(device, shape, g);
      Floats before = new Floats(device, shape.in(Layout.PACKED), m);
      Floats taken = new Floats(device, shape);
      device
          .kernels()
          .elementwise()
          .momentum(
              device.stream(), 0.9, nesterov, gradient.batch(), before.batch(), taken.batch());
      double[] after = each(shape, g, m, (k, p, q) -> beta * q + p);
      Floats.assertClose(gradient.get(), after, 2, 4);
      assertThat(before.get()).isEqualTo(m);
      double[] ahead = each(shape, g, m, (k, p, q) -> (1 + beta) * (beta * q + p) - beta * q);
      Floats.assertClose(taken.get(), nesterov ? ahead : after, 4, 8);
    }
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#square")
  void addsTheIdentity(Shape shape) {
    float[] x = Floats.special(shape, 8);
    Floats to = new Floats(device, shape, x);
    device.kernels().elementwise().addIdentity(device.stream(), 0.25, to.batch());
    float[] expected = x.clone();
    int n = shape.rows();
    for (int e = 0; e < x.length; e++) {
      if (e / n % n == e % n) {
        expected[e] += 0.25f;
      }
    }
    assertThat(to.get()).isEqualTo(expected);
  }

  @Test
  void offsetsPassTwoToTheThirtyFirst() {
    // Only what is touched takes memory on the emulated device.
    int ld = (1 << 30) + 4;
    long address = device.allocateIfItFits(4 * (2L * ld + 5));
    ElementwiseKernels kernels = device.kernels().elementwise();
    float[] last = new float[5];
    kernels.zero(device.stream(), new Batch(address, 1, 3, 5, 0, ld));
    device.read(address + 4 * 2L * ld, last, 0, 5);
    assertThat(last).isEqualTo(new float[5]);
    Batch x = new Batch(address, 2, 1, 5, 2L * ld, 5);
    kernels.addIdentity(device.stream(), 1, new Batch(address, 2, 1, 1, 2L * ld, 5));
    kernels.combine(device.stream(), 3, device.scalars(1, 2), x, 0, x);
    device.read(address + 4 * 2L * ld, last, 0, 5);
    assertThat(last).isEqualTo(new float[] {6, 0, 0, 0, 0});
  }

  @Test
  void shapesAreChecked() {
    assertThatThrownBy(() -> Batch.packed(256, 0, 1, 1)).hasMessageContaining("at least 1 of each");
    assertThatThrownBy(() -> new Batch(256, 1, 1, 5, 5, 4)).hasMessageContaining("ld: 4");
    Batch x = Batch.packed(256, 2, 3, 4);
    ElementwiseKernels kernels = device.kernels().elementwise();
    assertThatThrownBy(
            () -> kernels.combine(device.stream(), 1, 0, x, 0, Batch.packed(256, 2, 4, 3)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("differ in shape");
    assertThatThrownBy(() -> kernels.addIdentity(device.stream(), 1, x))
        .hasMessageContaining("not square");
  }
}
