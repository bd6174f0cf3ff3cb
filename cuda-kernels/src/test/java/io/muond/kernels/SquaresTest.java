package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.kernels.Shape.Layout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Operations that pair (i, j) with (j, i), against plain loops. */
class SquaresTest {
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

  /** Index of the element that is (j, i) where e is (i, j). */
  private static int mirrored(Shape shape, int e) {
    int n = shape.rows();
    return e / (n * n) * n * n + e % n * n + e / n % n;
  }

  private static boolean upper(Shape shape, int e) {
    return e % shape.cols() > e / shape.cols() % shape.rows();
  }

  private static boolean diagonal(Shape shape, int e) {
    return mirrored(shape, e) == e;
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#square")
  void skewAndSymmetricPartsAreExact(Shape shape) {
    float[] x = Floats.random(shape, 1);
    float[] skew = new float[x.length];
    float[] symmetric = new float[x.length];
    double[] squares = new double[shape.count()];
    for (int e = 0; e < x.length; e++) {
      float other = x[mirrored(shape, e)];
      skew[e] = x[e] - other;
      symmetric[e] = 0.5f * (x[e] + other);
      squares[e / (shape.rows() * shape.rows())] += Math.pow((double) x[e] + other, 2);
    }
    SquareKernels kernels = device.kernels().squares();
    Floats from = new Floats(device, shape, x);
    long s = device.allocate(8L * shape.count());
    long scratch = device.allocate(ReductionKernels.scratchBytes(from.batch()));
    device.kernels().reductions().symmetricPart(device.stream(), from.batch(), s, scratch);
    double[] norms = device.doubles(s, shape.count());
    for (int k = 0; k < norms.length; k++) {
      double norm = Math.sqrt(squares[k]);
      assertThat(norms[k]).isCloseTo(norm, within(1e-7 * norm));
    }
    Floats to = new Floats(device, shape.in(Layout.ODD_BLOCK));
    kernels.symmetrize(device.stream(), from.batch(), to.batch());
    assertThat(to.get()).isEqualTo(symmetric);
    kernels.skew(device.stream(), from.batch(), from.batch());
    assertThat(from.get()).isEqualTo(skew);
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void transposes(Shape shape) {
    float[] x = Floats.special(shape, 2);
    Floats from = new Floats(device, shape, x);
    Floats to = new Floats(device, shape.transposed());
    device.kernels().squares().negativeTranspose(device.stream(), from.batch(), to.batch());
    float[] y = to.get();
    int m = shape.rows();
    int n = shape.cols();
    for (int e = 0; e < x.length; e++) {
      int mirror = e / (m * n) * m * n + e % n * m + e / n % m;
      if (Float.floatToIntBits(y[mirror]) != Float.floatToIntBits(-x[e])) {
        assertThat(y[mirror]).as("mirror of %d", e).isEqualTo(-x[e]);
      }
    }
  }

  /** Sets the elements on and below the diagonal, and leaves the others uninitialised. */
  private Floats lower(Shape shape, float[] x) {
    Floats c = new Floats(device, shape);
    for (int e = 0; e < x.length; e++) {
      if (!upper(shape, e)) {
        c.set(e, x[e]);
      }
    }
    return c;
  }

  private static boolean small(Shape shape) {
    return shape.elements() <= 10_000;
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#square")
  void mirrorsWithoutReadingTheUpperTriangle(Shape shape) {
    if (!small(shape)) {
      return;
    }
    float[] x = Floats.random(shape, 3);
    float[] e = Floats.random(shape, 4);
    double[] plain = new double[x.length];
    double[] sum = new double[x.length];
    double[] skew = new double[x.length];
    for (int at = 0; at < x.length; at++) {
      int other = mirrored(shape, at);
      int known = upper(shape, at) ? other : at;
      e[at] = e[known];
      plain[at] = x[known];
      sum[at] = x[known] + 0.5 * e[known] + (diagonal(shape, at) ? 1.25 : 0);
      skew[at] = diagonal(shape, at) ? 0 : upper(shape, at) ? -x[known] : x[known];
    }
    SquareKernels kernels = device.kernels().squares();
    Floats c = lower(shape, x);
    kernels.mirrorSymmetric(device.stream(), c.batch(), 7, null, 0);
    Floats.assertClose(c.get(), plain, 0, 0);
    Floats added = lower(shape, x);
    Floats other = new Floats(device, shape.in(Layout.ALIGNED_BLOCK), e);
    kernels.mirrorSymmetric(device.stream(), added.batch(), 0.5, other.batch(), 1.25);
    Floats.assertClose(added.get(), sum, 2, 2);
    Floats turned = lower(shape, x);
    kernels.mirrorSkew(device.stream(), turned.batch());
    Floats.assertClose(turned.get(), skew, 0, 0);
  }
}
