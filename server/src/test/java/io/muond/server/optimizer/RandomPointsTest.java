package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.manifold.ManifoldKind;
import java.util.Arrays;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Weights drawn from seeds have the moments of a uniform distribution on their manifold. */
class RandomPointsTest {
  private static final int DRAWS = 4_000;

  private static double[][] draws(ManifoldKind manifold, int rows, int columns, double radius) {
    BatchSpec spec = new BatchSpec(manifold, DRAWS, rows, columns, radius, Rule.DEFAULT);
    int n = rows * columns;
    try (CpuEngine engine = new CpuEngine(2, 1L << 28);
        TestBatch batch = new TestBatch(engine, spec)) {
      float[] all = batch.initialize(7).weights();
      double[][] draws = new double[DRAWS][];
      Arrays.setAll(draws, k -> Reference.doubles(Arrays.copyOfRange(all, k * n, (k + 1) * n)));
      return draws;
    }
  }

  private static double mean(double[][] draws, ToDoubleFunction<double[]> f) {
    return Arrays.stream(draws).mapToDouble(f).average().orElseThrow();
  }

  /** Every element's mean is 0; that of its square is the same everywhere. */
  @ParameterizedTest
  @EnumSource(
      value = ManifoldKind.class,
      names = {"STIEFEL", "OBLIQUE", "CENTERED_OBLIQUE", "SPECTRAL_BALL"})
  void elementsAreAlike(ManifoldKind manifold) {
    int rows = 4;
    int columns = 3;
    double radius = 2;
    double square =
        switch (manifold) {
          case STIEFEL -> 1.0 / rows;
          case OBLIQUE, CENTERED_OBLIQUE -> 1.0 / columns;
          // A block of a random orthogonal matrix of this order.
          case SPECTRAL_BALL -> 1.0 / (rows + columns + 1);
          case EUCLIDEAN -> throw new IllegalArgumentException();
        };
    double[][] draws = draws(manifold, rows, columns, radius);
    double deviation = radius * Math.sqrt(square / DRAWS);
    for (int i = 0; i < rows * columns; i++) {
      int at = i;
      assertThat(mean(draws, w -> w[at])).isCloseTo(0, within(5 * deviation));
      double second = mean(draws, w -> w[at] * w[at]) / (radius * radius);
      assertThat(second).isCloseTo(square, within(0.1 * square));
      // Elements of different rows and columns, as any sign of either may change.
      int other = (i + columns + 1) % (rows * columns);
      if (other / columns != i / columns && other % columns != i % columns) {
        double product = mean(draws, w -> w[at] * w[other]) / (radius * radius);
        assertThat(product).isCloseTo(0, within(5 * square / Math.sqrt(DRAWS)));
      }
    }
  }

  /** Of a row of mean 0, elements are negatively correlated. */
  @Test
  void centeredRowsAreUniformOnTheirSphere() {
    double[][] draws = draws(ManifoldKind.CENTERED_OBLIQUE, 1, 5, 1);
    assertThat(mean(draws, w -> w[0] * w[3])).isCloseTo(-1.0 / 20, within(0.01));
  }

  /** A ball of one dimension is an interval, one of two a disc. */
  @Test
  void smallBallsAreFilledEvenly() {
    double[][] interval = draws(ManifoldKind.SPECTRAL_BALL, 1, 1, 1);
    for (double bound : new double[] {-0.5, 0, 0.5, 0.9}) {
      double below = mean(interval, w -> w[0] < bound ? 1 : 0);
      assertThat(below).isCloseTo((1 + bound) / 2, within(0.03));
    }
    double[][] disc = draws(ManifoldKind.SPECTRAL_BALL, 1, 2, 1);
    for (double radius : new double[] {0.3, 0.6, 0.9}) {
      double within = mean(disc, w -> Reference.norm(w) < radius ? 1 : 0);
      assertThat(within).isCloseTo(radius * radius, within(0.03));
    }
  }

  /** |det W| of a 2 × 2 matrix: the density of σ₁, σ₂ is proportional to |σ₁² − σ₂²|. */
  @Test
  void theBallOfSquareMatricesIsFilledEvenly() {
    double[][] draws = draws(ManifoldKind.SPECTRAL_BALL, 2, 2, 1);
    // ∫∫ σ₁σ₂ |σ₁² − σ₂²| / ∫∫ |σ₁² − σ₂²| over the unit square, both integrals by hand.
    double expected = (1.0 / 12) / (1.0 / 3);
    double found = mean(draws, w -> Math.abs(w[0] * w[3] - w[1] * w[2]));
    assertThat(found).isCloseTo(expected, within(0.02));
  }
}
