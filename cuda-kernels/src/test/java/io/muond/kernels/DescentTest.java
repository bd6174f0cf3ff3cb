package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.kernels.Shape.Layout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps without a constraint against plain loops in float64. */
class DescentTest {
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

  private static double[] perMatrix(Shape shape, double first, double step) {
    double[] s = new double[shape.count()];
    for (int k = 0; k < s.length; k++) {
      s[k] = first + step * (k % 7);
    }
    return s;
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void takesSigns(Shape shape) {
    float[] x = Floats.random(shape, 1);
    Floats from = new Floats(device, shape, x);
    Floats to = new Floats(device, shape.in(Layout.ODD_BLOCK));
    DescentKernels kernels = device.kernels().descent();
    kernels.signs(device.stream(), from.batch(), to.batch());
    kernels.signs(device.stream(), from.batch(), from.batch());
    float[] signs = to.get();
    assertThat(from.get()).isEqualTo(signs);
    for (int e = 0; e < x.length; e++) {
      assertThat(signs[e] == Math.signum(x[e])).isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void descends(Shape shape) {
    float[] w = Floats.random(shape, 2);
    float[] a = Floats.random(shape, 3);
    double[] keep = perMatrix(shape, 1, -0.01);
    double[] step = perMatrix(shape, 0, 0.1);
    double[] expected = new double[w.length];
    for (int e = 0; e < w.length; e++) {
      int k = e / (shape.rows() * shape.cols());
      expected[e] = (float) keep[k] * (double) w[e] - (float) step[k] * (double) a[e];
    }
    Floats from = new Floats(device, shape.in(Layout.ODD_BLOCK), w);
    Floats along = new Floats(device, shape, a);
    long kept = device.scalars(keep);
    long steps = device.scalars(step);
    DescentKernels kernels = device.kernels().descent();
    kernels.descend(device.stream(), kept, steps, from.batch(), along.batch(), along.batch());
    float[] found = along.get();
    Floats.assertClose(found, expected, 2, 1);
    for (int e = 0; e < shape.rows() * shape.cols(); e++) {
      // Of either sign: with step 0 not even that of a zero changes.
      assertThat(Float.floatToRawIntBits(found[e])).isEqualTo(Float.floatToRawIntBits(w[e]));
    }
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void makesMomentsAndDirections(Shape shape) {
    float[] m = Floats.random(shape, 4);
    float[] v = Floats.random(shape, 5);
    float[] g = Floats.random(shape, 6);
    double[] first = new double[m.length];
    double[] second = new double[m.length];
    double[] direction = new double[m.length];
    double[] c = {1.7, 1.3};
    for (int e = 0; e < m.length; e++) {
      v[e] = Math.abs(v[e]);
      first[e] = 0.9 * m[e] + 0.1 * g[e];
      second[e] = 0.75 * v[e] + 0.25 * g[e] * g[e];
      direction[e] = c[0] * first[e] / (c[1] * Math.sqrt(second[e]) + 0.5);
    }
    Floats gradient = new Floats(device, shape.in(Layout.ODD_BLOCK), g);
    Floats next = new Floats(device, shape);
    Floats a = new Floats(device, shape.in(Layout.PACKED));
    Batch old = new Floats(device, shape, m).batch();
    Batch oldSecond = new Floats(device, shape, v).batch();
    device
        .kernels()
        .descent()
        .adamw(
            device.stream(),
            0.9,
            0.75,
            0.5,
            device.scalars(c),
            old,
            oldSecond,
            gradient.batch(),
            next.batch(),
            a.batch());
    Floats.assertClose(gradient.get(), first, 2, 2);
    Floats.assertClose(next.get(), second, 2, 2);
    Floats.assertClose(a.get(), direction, 4, 2);
  }

  @Test
  void aSecondMomentThatOverflowsShows() {
    Shape shape = new Shape(1, 1, 3, Layout.PACKED);
    float[] zeros = new float[3];
    Floats gradient = new Floats(device, shape, new float[] {1, 1e25f, 0});
    Floats a = new Floats(device, shape);
    device
        .kernels()
        .descent()
        .adamw(
            device.stream(),
            0.9,
            0.999,
            1e-8,
            device.scalars(new double[] {1 / (1.0 - 0.9f), Math.sqrt(1 / (1.0 - 0.999f))}),
            new Floats(device, shape, zeros).batch(),
            new Floats(device, shape, zeros).batch(),
            gradient.batch(),
            new Floats(device, shape).batch(),
            a.batch());
    float[] found = a.get();
    assertThat(found[0]).isBetween(0.999999f, 1.000001f);
    assertThat(found[1]).isNaN();
    assertThat(found[2]).isZero();
  }
}
