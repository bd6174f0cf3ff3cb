package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.kernels.Shape.Layout;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Reductions against plain sums in float64. */
class ReductionsTest {
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

  /** Joins an element of x and y into what was joined before. */
  private interface Join {
    double apply(double joined, double x, double y);
  }

  private static double[] reduce(Shape shape, float[] x, float[] y, Join join) {
    double[] joined = new double[shape.count()];
    for (int e = 0; e < x.length; e++) {
      int k = e / (shape.rows() * shape.cols());
      joined[k] = join.apply(joined[k], x[e], y[e]);
    }
    return joined;
  }

  private void assertResults(long s, double[] expected, double[] scale) {
    double[] actual = device.doubles(s, expected.length);
    for (int k = 0; k < actual.length; k++) {
      if (Double.compare(actual[k], expected[k]) != 0) {
        assertThat(actual[k]).as("matrix %d", k).isCloseTo(expected[k], within(1e-12 * scale[k]));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void sums(Shape shape) {
    float[] x = Floats.random(shape, 1);
    float[] y = Floats.random(shape, 2);
    Batch first = new Floats(device, shape, x).batch();
    Batch second = new Floats(device, shape.in(Layout.ODD_BLOCK), y).batch();
    long s = device.allocate(8L * shape.count());
    long scratch = device.allocate(ReductionKernels.scratchBytes(first));
    ReductionKernels kernels = device.kernels().reductions();
    kernels.dot(device.stream(), first, second, s, scratch);
    double[] scale = reduce(shape, x, y, (sum, p, q) -> sum + Math.abs(p * q));
    assertResults(s, reduce(shape, x, y, (sum, p, q) -> sum + p * q), scale);
    kernels.frobenius(device.stream(), first, s, scratch);
    double[] norms = root(reduce(shape, x, x, (sum, p, q) -> sum + p * p));
    assertResults(s, norms, norms);
    kernels.distance(device.stream(), first, second, s, scratch);
    double[] distances = root(reduce(shape, x, y, (sum, p, q) -> sum + (p - q) * (p - q)));
    assertResults(s, distances, distances);
  }

  private static double[] root(double[] squares) {
    return Arrays.stream(squares).map(Math::sqrt).toArray();
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void findsTheLargestAndWhatIsNotFinite(Shape shape) {
    int perMatrix = shape.rows() * shape.cols();
    float[] x = Floats.random(shape, 3);
    Floats from = new Floats(device, shape, x);
    long s = device.allocate(8L * shape.count());
    long scratch = device.allocate(ReductionKernels.scratchBytes(from.batch()));
    ReductionKernels kernels = device.kernels().reductions();
    kernels.maxAbs(device.stream(), from.batch(), s, scratch);
    double[] largest = reduce(shape, x, x, (m, p, q) -> Math.max(m, Math.abs(p)));
    assertThat(device.doubles(s, shape.count())).isEqualTo(largest);
    kernels.firstNonFinite(device.stream(), from.batch(), s, scratch);
    assertThat(device.longs(s, shape.count())).containsOnly(-1);
    // In the last matrix, late ones first.
    int start = x.length - perMatrix;
    x[x.length - 1] = Float.NEGATIVE_INFINITY;
    x[start + perMatrix / 2] = Float.NaN;
    x[start + perMatrix * 2 / 3] = Float.POSITIVE_INFINITY;
    from.set(x);
    kernels.maxAbs(device.stream(), from.batch(), s, scratch);
    largest[shape.count() - 1] = perMatrix > 1 || Float.isNaN(x[start]) ? Double.NaN : 0;
    if (perMatrix == 1) {
      largest[shape.count() - 1] = Math.abs(x[start]);
    }
    assertThat(device.doubles(s, shape.count())).isEqualTo(largest);
    kernels.firstNonFinite(device.stream(), from.batch(), s, scratch);
    long[] first = new long[shape.count()];
    Arrays.fill(first, -1);
    first[shape.count() - 1] = perMatrix / 2;
    assertThat(device.longs(s, shape.count())).isEqualTo(first);
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void diagonalsOfGramMatrices(Shape shape) {
    if (shape.cols() > 1_000) {
      return;
    }
    float[] y = Floats.random(shape, 4);
    Batch from = new Floats(device, shape, y).batch();
    for (boolean byColumns : new boolean[] {true, false}) {
      int n = byColumns ? shape.cols() : shape.rows();
      Shape square = new Shape(shape.count(), n, n, shape.layout());
      float[] x = Floats.random(square, 5);
      double[] expected = new double[x.length];
      for (int e = 0; e < x.length; e++) {
        expected[e] = e / n % n == e % n ? -1 : x[e];
      }
      for (int e = 0; e < y.length; e++) {
        int k = e / (shape.rows() * shape.cols());
        int j = byColumns ? e % shape.cols() : e / shape.cols() % shape.rows();
        expected[k * n * n + j * n + j] += (double) y[e] * y[e];
      }
      Floats to = new Floats(device, square, x);
      long scratch = device.allocate(GramKernels.scratchBytes(from, byColumns));
      device
          .kernels()
          .gram()
          .gramDiagonal(device.stream(), from, byColumns, -1, to.batch(), scratch);
      Floats.assertClose(to.get(), expected, 0.5001, 0);
    }
  }

  @ParameterizedTest
  @MethodSource("io.muond.kernels.Shape#any")
  void equalInputsGiveEqualBits(Shape shape) {
    Batch x = new Floats(device, shape, Floats.random(shape, 6)).batch();
    long scratch = device.allocate(ReductionKernels.scratchBytes(x));
    long once = device.allocate(8L * shape.count());
    long again = device.allocate(8L * shape.count());
    ReductionKernels kernels = device.kernels().reductions();
    kernels.frobenius(device.stream(), x, once, scratch);
    kernels.frobenius(device.stream(), x, again, scratch);
    assertThat(device.longs(again, shape.count())).isEqualTo(device.longs(once, shape.count()));
  }
}
