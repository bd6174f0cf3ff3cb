package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.kernels.Shape.Layout;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Operations on rows of mean 0, against plain loops in float64. */
class CenteredRowsTest {
  private static final double RADIUS = 1.75;

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

  /** A row of one element has no other mean than itself. */
  static Stream<Shape> shapes() {
    return RowsTest.shapes().filter(shape -> shape.cols() > 1);
  }

  /** The rows of a batch one after the other, each with a mean of its own; some are constant. */
  private static float[] rows(Shape shape, long seed) {
    float[] x = Floats.random(shape, seed);
    int cols = shape.cols();
    for (int from = 0; from < x.length; from += cols) {
      int line = from / cols;
      if (line % 3 == 1) {
        Arrays.fill(x, from, from + cols, 0.1f + line);
      } else {
        for (int e = from; e < from + cols; e++) {
          x[e] += (line % 3) * 10;
        }
      }
    }
    return x;
  }

  private static double mean(double[] x, int from, int cols) {
    return Arrays.stream(x, from, from + cols).sum() / cols;
  }

  private static double[] doubles(float[] x) {
    double[] y = new double[x.length];
    Arrays.setAll(y, e -> x[e]);
    return y;
  }

  private static void center(double[] x, int from, int cols) {
    double mean = mean(x, from, cols);
    for (int e = from; e < from + cols; e++) {
      x[e] -= mean;
    }
  }

  private static void normalize(double[] x, int from, int cols) {
    double square = 0;
    for (int e = from; e < from + cols; e++) {
      square += x[e] * x[e];
    }
    if (square < 1e-20) {
      Arrays.fill(x, from, from + cols, 0);
      x[from] = RADIUS / Math.sqrt(2);
      x[from + 1] = -x[from];
      return;
    }
    for (int e = from; e < from + cols; e++) {
      x[e] *= RADIUS / Math.sqrt(square);
    }
  }

  private long scratch(Shape shape) {
    Batch packed = Batch.packed(256, shape.count(), shape.rows(), shape.cols());
    return device.allocate(RowKernels.scratchBytes(packed));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void centersAndNormalizes(Shape shape) {
    float[] x = rows(shape, 1);
    double[] centered = doubles(x);
    double[] normalized = new double[x.length];
    for (int from = 0; from < x.length; from += shape.cols()) {
      center(centered, from, shape.cols());
    }
    RowKernels kernels = device.kernels().rows();
    long scratch = scratch(shape);
    Floats from = new Floats(device, shape, x);
    Floats to = new Floats(device, shape.in(Layout.ODD_BLOCK));
    kernels.centerRows(device.stream(), from.batch(), to.batch(), scratch);
    Floats.assertClose(to.get(), centered, 2, 1);
    kernels.centerRows(device.stream(), from.batch(), from.batch(), scratch);
    float[] found = from.get();
    Floats.assertClose(found, centered, 2, 1);
    for (int e = 0; e < found.length; e++) {
      if (e / shape.cols() % 3 == 1) {
        assertThat(found[e]).isZero();
      }
      normalized[e] = found[e];
    }
    for (int e = 0; e < x.length; e += shape.cols()) {
      normalize(normalized, e, shape.cols());
    }
    kernels.normalizeRows(device.stream(), RADIUS, true, from.batch(), to.batch(), scratch);
    Floats.assertClose(to.get(), normalized, 1, 0);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void moves(Shape shape) {
    float[] w = Floats.random(shape, 4);
    float[] a = rows(shape, 5);
    Arrays.fill(a, 0, shape.cols(), 0);
    double[] eta = new double[shape.count()];
    Arrays.setAll(eta, k -> k % 3 == 1 ? 0 : 0.1 + k % 5);
    double[] expected = new double[w.length];
    for (int from = 0; from < w.length; from += shape.cols()) {
      double rate = eta[from / shape.cols() / shape.rows()];
      for (int e = from; e < from + shape.cols(); e++) {
        expected[e] = from == 0 || rate == 0 ? w[e] : (float) (w[e] - RADIUS * rate * a[e]);
      }
      if (from > 0 && rate != 0) {
        center(expected, from, shape.cols());
        normalize(expected, from, shape.cols());
      }
    }
    Floats y = new Floats(device, shape);
    device
        .kernels()
        .rows()
        .moveRows(
            device.stream(),
            RADIUS,
            true,
            device.scalars(eta),
            new Floats(device, shape.in(Layout.ODD_BLOCK), w).batch(),
            new Floats(device, shape.in(Layout.PACKED), a).batch(),
            y.batch(),
            scratch(shape));
    Floats.assertClose(y.get(), expected, 4, 1);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void measuresMeans(Shape shape) {
    float[] zeros = new float[shape.elements()];
    float[] a = rows(shape, 7);
    float[] y = rows(shape, 8);
    double[] squares = new double[shape.count()];
    double[] excess = new double[shape.count()];
    double root = Math.sqrt(shape.cols());
    for (int from = 0; from < a.length; from += shape.cols()) {
      int k = from / shape.cols() / shape.rows();
      squares[k] += Math.pow(root * mean(doubles(a), from, shape.cols()), 2) / shape.rows();
      double size = 0;
      for (int e = from; e < from + shape.cols(); e++) {
        size += (double) y[e] * y[e] / (RADIUS * RADIUS);
      }
      double along = Math.abs(root * mean(doubles(y), from, shape.cols())) / RADIUS;
      excess[k] = Math.max(excess[k], Math.max(Math.abs(size - 1), along));
    }
    long tangency = device.allocate(8L * shape.count());
    long orthogonality = device.allocate(8L * shape.count());
    device
        .kernels()
        .rows()
        .rowResiduals(
            device.stream(),
            RADIUS,
            true,
            new Floats(device, shape, zeros).batch(),
            new Floats(device, shape.in(Layout.ODD_BLOCK), a).batch(),
            new Floats(device, shape, y).batch(),
            tangency,
            orthogonality,
            scratch(shape));
    double[] tangencies = device.doubles(tangency, shape.count());
    double[] excesses = device.doubles(orthogonality, shape.count());
    for (int k = 0; k < excess.length; k++) {
      double expected = Math.sqrt(squares[k]);
      assertThat(tangencies[k]).isCloseTo(expected, within(1e-9 * (1 + expected)));
      assertThat(excesses[k]).isCloseTo(excess[k], within(1e-9 * (1 + excess[k])));
    }
  }
}
