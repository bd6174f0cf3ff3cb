package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.kernels.Shape.Layout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Operations on rows, short, long and cut, against plain loops in float64. */
class RowsTest {
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

  static Stream<Shape> shapes() {
    List<Shape> shapes = new ArrayList<>();
    int[][] sizes = {{1, 1}, {1, 7}, {6, 1}, {5, 9}, {70, 130}, {3, 5_000}};
    for (int[] size : sizes) {
      for (Layout layout : Layout.values()) {
        shapes.add(new Shape(1 + shapes.size() % 3, size[0], size[1], layout));
      }
    }
    // More rows than groups of them, and rows that are cut.
    shapes.add(new Shape(40_000, 2, 1, Layout.PACKED));
    shapes.add(new Shape(1, 1, 100_003, Layout.PACKED));
    shapes.add(new Shape(2, 2, 40_000, Layout.ALIGNED_BLOCK));
    shapes.add(new Shape(2, 3, 33_001, Layout.ODD_BLOCK));
    return shapes.stream();
  }

  private static int first(Shape shape, int line) {
    return line * shape.cols();
  }

  private static int lines(Shape shape) {
    return shape.count() * shape.rows();
  }

  private static double dot(Shape shape, int line, float[] x, float[] y) {
    double sum = 0;
    for (int e = first(shape, line); e < first(shape, line + 1); e++) {
      sum += (double) x[e] * y[e];
    }
    return sum;
  }

  private static double maxAbs(Shape shape, int line, float[] x) {
    double largest = 0;
    for (int e = first(shape, line); e < first(shape, line + 1); e++) {
      largest = Math.max(largest, Math.abs(x[e]));
    }
    return largest;
  }

  private Batch fresh(Shape shape, float[] values) {
    return new Floats(device, shape, values).batch();
  }

  private long scratch(Shape shape) {
    Batch packed = Batch.packed(256, shape.count(), shape.rows(), shape.cols());
    return device.allocate(RowKernels.scratchBytes(packed));
  }

  /** Sets every third row to zeros, the one after it to tiny or huge numbers. */
  private static float[] uneven(Shape shape, long seed) {
    float[] x = Floats.random(shape, seed);
    for (int line = 0; line < lines(shape); line++) {
      double factor = line % 3 == 1 ? 0 : line % 3 == 2 ? (line % 2 == 0 ? 1e-30 : 1e30) : 1;
      for (int e = first(shape, line); e < first(shape, line + 1); e++) {
        x[e] = (float) (factor * x[e]);
      }
    }
    return x;
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void normalizes(Shape shape) {
    float[] x = uneven(shape, 1);
    double[] expected = new double[x.length];
    for (int line = 0; line < lines(shape); line++) {
      double norm = Math.sqrt(dot(shape, line, x, x));
      int start = first(shape, line);
      for (int e = start; e < start + shape.cols(); e++) {
        expected[e] = norm == 0 ? (e == start ? RADIUS : 0) : RADIUS / norm * x[e];
      }
    }
    Floats to = new Floats(device, shape.in(Layout.ODD_BLOCK));
    long scratch = scratch(shape);
    Floats from = new Floats(device, shape, x);
    RowKernels rows = device.kernels().rows();
    rows.normalizeRows(device.stream(), RADIUS, false, from.batch(), to.batch(), scratch);
    Floats.assertClose(to.get(), expected, 1, 0);
    rows.normalizeRows(device.stream(), RADIUS, false, from.batch(), from.batch(), scratch);
    Floats.assertClose(from.get(), expected, 1, 0);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void directions(Shape shape) {
    float[] w = Floats.random(shape, 2);
    float[] g = uneven(shape, 3);
    double[] expected = new double[g.length];
    double[] objectives = new double[shape.count()];
    for (int line = 0; line < lines(shape); line++) {
      objectives[line / shape.rows()] += direction(shape, line, w, g, expected);
    }
    Floats gradient = new Floats(device, shape.in(Layout.ODD_BLOCK), g);
    Floats a = new Floats(device, shape);
    Batch from = fresh(shape.in(Layout.PACKED), w);
    long objective = device.allocate(8L * shape.count());
    long scratch = scratch(shape);
    RowKernels rows = device.kernels().rows();
    rows.rowDirections(device.stream(), from, gradient.batch(), a.batch(), objective, scratch);
    float[] actual = a.get();
    Floats.assertClose(actual, expected, 8, 1);
    double[] reported = device.doubles(objective, shape.count());
    for (int k = 0; k < reported.length; k++) {
      assertThat(reported[k]).isCloseTo(objectives[k], within(1e-6 * Math.abs(objectives[k])));
    }
    // In place, other alignment, other bits only by rounding.
    Batch g2 = gradient.batch();
    rows.rowDirections(device.stream(), from, g2, g2, objective, scratch);
    Floats.assertClose(gradient.get(), expected, 8, 1);
  }

  /** P(g) / ‖P(g)‖ of one row; returns ‖P(g)‖. */
  private static double direction(Shape shape, int line, float[] w, float[] g, double[] expected) {
    double scale = maxAbs(shape, line, g);
    double ww = dot(shape, line, w, w);
    double along = scale == 0 || ww == 0 ? 0 : dot(shape, line, g, w) / scale / ww;
    double square = 0;
    for (int e = first(shape, line); e < first(shape, line + 1); e++) {
      expected[e] = scale == 0 ? 0 : g[e] / scale - along * w[e];
      square += expected[e] * expected[e];
    }
    double norm = Math.sqrt(square);
    boolean none = norm <= 1e-7 * Math.sqrt(shape.cols());
    for (int e = first(shape, line); e < first(shape, line + 1); e++) {
      expected[e] = none ? 0 : expected[e] / norm;
    }
    return none ? 0 : norm * scale;
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void moves(Shape shape) {
    float[] w = Floats.random(shape, 4);
    float[] a = Floats.random(shape, 5);
    double[] eta = new double[shape.count()];
    for (int k = 0; k < eta.length; k++) {
      eta[k] = k % 3 == 1 ? 0 : 0.1 + k % 5;
    }
    double[] expected = new double[w.length];
    for (int line = 0; line < lines(shape); line++) {
      if (line % 4 == 3) {
        Arrays.fill(a, first(shape, line), first(shape, line + 1), -0f);
      }
      move(shape, line, eta[line / shape.rows()], w, a, expected);
    }
    Floats y = new Floats(device, shape);
    Batch from = fresh(shape.in(Layout.ODD_BLOCK), w);
    Batch direction = fresh(shape.in(Layout.PACKED), a);
    long scratch = scratch(shape);
    long etas = device.scalars(eta);
    RowKernels rows = device.kernels().rows();
    rows.moveRows(device.stream(), RADIUS, false, etas, from, direction, y.batch(), scratch);
    float[] actual = y.get();
    Floats.assertClose(actual, expected, 2, 1);
    for (int e = 0; e < w.length; e++) {
      int line = e / shape.cols();
      if (eta[line / shape.rows()] == 0 || line % 4 == 3) {
        assertThat(Float.floatToRawIntBits(actual[e])).isEqualTo(Float.floatToRawIntBits(w[e]));
      }
    }
  }

  private static void move(
      Shape shape, int line, double eta, float[] w, float[] a, double[] expected) {
    boolean stays = eta == 0 || maxAbs(shape, line, a) == 0;
    double square = 0;
    for (int e = first(shape, line); e < first(shape, line + 1); e++) {
      expected[e] = stays ? w[e] : (float) (w[e] - RADIUS * eta * a[e]);
      square += expected[e] * expected[e];
    }
    double factor = stays ? 1 : square == 0 ? 0 : RADIUS / Math.sqrt(square);
    for (int e = first(shape, line); e < first(shape, line + 1); e++) {
      expected[e] *= factor;
    }
    if (!stays && square == 0) {
      expected[first(shape, line)] = RADIUS;
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void residuals(Shape shape) {
    float[] w = Floats.random(shape, 6);
    float[] a = Floats.random(shape, 7);
    float[] y = Floats.random(shape, 8);
    double[] squares = new double[shape.count()];
    double[] excess = new double[shape.count()];
    for (int line = 0; line < lines(shape); line++) {
      int k = line / shape.rows();
      squares[k] += Math.pow(dot(shape, line, w, a) / RADIUS, 2) / shape.rows();
      double size = dot(shape, line, y, y) / (RADIUS * RADIUS);
      excess[k] = Math.max(excess[k], Math.abs(size - 1));
    }
    long tangency = device.allocate(8L * shape.count());
    long orthogonality = device.allocate(8L * shape.count());
    device
        .kernels()
        .rows()
        .rowResiduals(
            device.stream(),
            RADIUS,
            false,
            fresh(shape, w),
            fresh(shape.in(Layout.ODD_BLOCK), a),
            fresh(shape, y),
            tangency,
            orthogonality,
            scratch(shape));
    double[] tangencies = device.doubles(tangency, shape.count());
    double[] excesses = device.doubles(orthogonality, shape.count());
    for (int k = 0; k < excess.length; k++) {
      assertThat(tangencies[k]).isCloseTo(Math.sqrt(squares[k]), within(1e-9 * shape.cols()));
      assertThat(excesses[k]).isCloseTo(excess[k], within(1e-9 * shape.cols()));
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void whatIsNotFiniteShows(Shape shape) {
    float[] x = Floats.special(shape, 9);
    float[] w = Floats.random(shape, 10);
    Floats y = new Floats(device, shape);
    long scratch = scratch(shape);
    long objective = device.allocate(8L * shape.count());
    RowKernels rows = device.kernels().rows();
    Batch from = fresh(shape, x);
    rows.normalizeRows(device.stream(), 1, false, from, y.batch(), scratch);
    int last = lines(shape) - 1;
    float[] normal = y.get();
    rows.rowDirections(device.stream(), fresh(shape, w), from, y.batch(), objective, scratch);
    float[] directions = y.get();
    boolean shown = false;
    boolean pointed = false;
    for (int e = first(shape, last); e < first(shape, last + 1); e++) {
      shown |= Float.isNaN(normal[e]);
      pointed |= Float.isNaN(directions[e]);
    }
    assertThat(shown).isTrue();
    assertThat(pointed).isTrue();
    assertThat(device.doubles(objective, shape.count())[shape.count() - 1]).isNaN();
  }
}
