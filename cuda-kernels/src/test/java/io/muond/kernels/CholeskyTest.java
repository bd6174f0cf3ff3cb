package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.muond.kernels.Shape.Layout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The pieces of Cholesky QR; the GEMMs between them are done on the host. */
class CholeskyTest {
  private static final int PANEL = CholeskyKernels.PANEL;

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

  private static int at(int n, int k, int i, int j) {
    return (k * n + i) * n + j;
  }

  /** count matrices bᵀb of order n and rank at most {@code rank}, below the diagonal NaN. */
  private static float[] gram(int count, int n, int rank) {
    float[] b = Floats.random(new Shape(count, rank, n, Layout.PACKED), 1);
    float[] x = new float[count * n * n];
    for (int k = 0; k < count; k++) {
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          double sum = 0;
          for (int l = 0; l < rank; l++) {
            sum += (double) b[(k * rank + l) * n + i] * b[(k * rank + l) * n + j];
          }
          x[at(n, k, i, j)] = j < i ? Float.NaN : (float) sum;
        }
      }
    }
    return x;
  }

  /** Factors as the engine does; returns R. */
  private float[] factor(Shape shape, float[] x, double relative, double absolute) {
    Floats matrices = new Floats(device, shape, x);
    Batch batch = matrices.batch();
    CholeskyKernels kernels = device.kernels().cholesky();
    long diagonal = device.allocate(CholeskyKernels.diagonalBytes(batch));
    kernels.shift(device.stream(), relative, absolute, batch, diagonal);
    int n = shape.rows();
    for (int from = 0; from < n; from += PANEL) {
      int size = Math.min(PANEL, n - from);
      kernels.factorDiagonal(device.stream(), batch, from, size, diagonal);
      kernels.solveRow(device.stream(), batch, from, size);
      matrices.set(updated(shape, matrices.get(), from, size));
    }
    return matrices.get();
  }

  /** A₂₂ ← A₂₂ − R₁₂ᵀ R₁₂, rounded as float32 sums are. */
  private static float[] updated(Shape shape, float[] x, int from, int size) {
    int n = shape.rows();
    for (int k = 0; k < shape.count(); k++) {
      for (int i = from + size; i < n; i++) {
        for (int j = i; j < n; j++) {
          float sum = 0;
          for (int l = from; l < from + size; l++) {
            sum += x[at(n, k, l, i)] * x[at(n, k, l, j)];
          }
          x[at(n, k, i, j)] -= sum;
        }
      }
    }
    return x;
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, PACKED",
    "3, 2, ODD_BLOCK",
    "2, 63, PACKED",
    "2, 64, ODD_BLOCK",
    "1, 65, SIDE_BY_SIDE",
    "2, 130, ALIGNED_BLOCK",
    "1, 200, PACKED"
  })
  void factorsAndSolves(int count, int n, Layout layout) {
    Shape shape = new Shape(count, n, n, layout);
    float[] x = gram(count, n, 2 * n);
    float[] r = factor(shape, x, 1e-3, 0.5);
    for (int k = 0; k < count; k++) {
      double largest = 0;
      for (int i = 0; i < n; i++) {
        largest = Math.max(largest, x[at(n, k, i, i)]);
      }
      double shift = 1e-3 * largest + 0.5;
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          if (j < i) {
            assertThat(r[at(n, k, i, j)]).isNaN();
          } else {
            double expected = x[at(n, k, i, j)] + (i == j ? shift : 0);
            double error = Math.abs(productOfColumns(n, k, r, i, j) - expected);
            assertThat(error).as("(%d, %d)", i, j).isLessThan(2e-6 * (largest + shift));
          }
        }
      }
    }
    assertSolves(new Shape(count, 75, n, Layout.PACKED), shape, r);
    assertSolves(new Shape(count, 1, n, Layout.ODD_BLOCK), shape, r);
  }

  /** (RᵀR)_ij. */
  private static double productOfColumns(int n, int k, float[] r, int i, int j) {
    double sum = 0;
    for (int l = 0; l <= Math.min(i, j); l++) {
      sum += (double) r[at(n, k, l, i)] * r[at(n, k, l, j)];
    }
    return sum;
  }

  /** Each panel of x is solved on its own: a block diagonal R. */
  private void assertSolves(Shape tall, Shape square, float[] r) {
    int n = tall.cols();
    float[] x = Floats.random(tall, 2);
    float[] xT = transpose(tall, x);
    Floats lies = new Floats(device, tall, x);
    Floats liesTransposed = new Floats(device, tall.transposed(), xT);
    Batch factor = new Floats(device, square, r).batch();
    CholeskyKernels kernels = device.kernels().cholesky();
    for (int from = 0; from < n; from += PANEL) {
      int size = Math.min(PANEL, n - from);
      kernels.solvePanel(device.stream(), factor, from, size, lies.batch());
      Batch transposed = liesTransposed.batch();
      kernels.solvePanelTransposed(device.stream(), factor, from, size, transposed);
    }
    float[] y = lies.get();
    assertThat(liesTransposed.get()).isEqualTo(transpose(tall, y));
    for (int e = 0; e < y.length; e++) {
      int k = e / (tall.rows() * n);
      int j = e % n;
      double sum = 0;
      double scale = 0;
      for (int l = j / PANEL * PANEL; l <= j; l++) {
        double product = (double) y[e - j + l] * r[at(n, k, l, j)];
        sum += product;
        scale += Math.abs(product);
      }
      assertThat(Math.abs(sum - x[e])).isLessThan(1e-5 * (scale + 1e-6));
    }
  }

  private static float[] transpose(Shape shape, float[] x) {
    int m = shape.rows();
    int n = shape.cols();
    float[] y = new float[x.length];
    for (int e = 0; e < x.length; e++) {
      y[e / (m * n) * m * n + e % n * m + e / n % m] = x[e];
    }
    return y;
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "5, 0", "64, 10", "130, 40", "130, 0"})
  void staysFiniteAndBoundsTheInverseWhateverTheRank(int n, int rank) {
    float[] x = rank == 0 ? new float[n * n] : gram(1, n, rank);
    float[] r = factor(new Shape(1, n, n, Layout.PACKED), x, 0, 0);
    double largest = 0;
    for (int i = 0; i < n; i++) {
      assertThat(r[at(n, 0, i, i)]).isPositive().isFinite();
      largest = Math.max(largest, x[at(n, 0, i, i)]);
    }
    // RᵀR is no less than x, up to rounding: its diagonal shows it.
    for (int i = 0; i < n; i++) {
      for (int j = i; j < n; j++) {
        assertThat(r[at(n, 0, i, j)]).isFinite();
      }
      double excess = productOfColumns(n, 0, r, i, i) - x[at(n, 0, i, i)];
      assertThat(excess).isGreaterThan(-1e-5 * largest);
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1, PACKED", "3, 2, ODD_BLOCK", "2, 64, PACKED", "2, 150, ALIGNED_BLOCK"})
  void invertsDiagonalBlocks(int count, int n, Layout layout) {
    Shape shape = new Shape(count, n, n, layout);
    float[] r = factor(shape, gram(count, n, 2 * n), 1e-3, 0.5);
    Floats blocks = new Floats(device, shape, r);
    device.kernels().cholesky().invertDiagonal(device.stream(), blocks.batch());
    float[] x = blocks.get();
    for (int e = 0; e < x.length; e++) {
      int k = e / (n * n);
      int i = e / n % n;
      int j = e % n;
      if (i / PANEL != j / PANEL) {
        assertThat(Float.compare(x[e], r[e])).isZero();
      } else if (j < i) {
        assertThat(x[e]).isZero();
      } else {
        double sum = 0;
        for (int l = i; l <= j; l++) {
          sum += (double) x[at(n, k, i, l)] * r[at(n, k, l, j)];
        }
        assertThat(sum).as("(%d, %d)", i, j).isCloseTo(i == j ? 1 : 0, within(1e-4));
      }
    }
  }

  @Test
  void notANumberStays() {
    float[] x = {4, Float.NaN, 0, 9};
    float[] r = factor(new Shape(1, 2, 2, Layout.PACKED), x, 0, 0);
    assertThat(r[0]).isEqualTo(2);
    assertThat(r[1]).isNaN();
    assertThat(r[3]).isNaN();
    x[0] = Float.NaN;
    x[1] = 1;
    assertThat(factor(new Shape(1, 2, 2, Layout.PACKED), x, 1e-6, 0)[3]).isNaN();
  }

  @Test
  void panelsAreChecked() {
    Batch x = Batch.packed(device.allocate(400), 1, 10, 10);
    CholeskyKernels kernels = device.kernels().cholesky();
    assertThatThrownBy(() -> kernels.solveRow(device.stream(), x, 8, 3))
        .hasMessageContaining("panel: 3 from 8");
    assertThatThrownBy(() -> kernels.solvePanel(device.stream(), x, 0, 65, x))
        .hasMessageContaining("panel: 65 from 0");
  }
}
