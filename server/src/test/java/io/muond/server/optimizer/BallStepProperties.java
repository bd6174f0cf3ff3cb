package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import java.util.Arrays;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** What holds for a step in the spectral ball. */
class BallStepProperties {
  private static Engine engine;

  @BeforeContainer
  static void open() {
    engine = TestEngines.open(2, 1L << 28);
  }

  @AfterContainer
  static void close() {
    TestEngines.close(engine);
  }

  @Provide
  Arbitrary<int[]> shapes() {
    return Arbitraries.of(
        new int[] {1, 1},
        new int[] {9, 1},
        new int[] {3, 2},
        new int[] {5, 13},
        new int[] {12, 12},
        new int[] {24, 17});
  }

  @Provide
  Arbitrary<Double> rates() {
    return Arbitraries.of(0.01, 0.3, 0.9, 2.0, 40.0, 3e4);
  }

  private static BatchSpec spec(ManifoldKind manifold, int[] shape, double radius) {
    return new BatchSpec(
        manifold, NormKind.SPECTRAL, 1, shape[0], shape[1], radius, Rule.DEFAULT, Start.GAUSSIAN);
  }

  private static TestBatch batch(int[] shape, double radius) {
    return new TestBatch(engine, spec(ManifoldKind.SPECTRAL_BALL, shape, radius));
  }

  private static float[] gradient(int[] shape, double scale, long seed) {
    return TestBatch.gaussian(shape[0] * shape[1], scale, seed);
  }

  /** A, which is that of the same norm without a constraint. */
  private static double[] direction(int[] shape, float[] g) {
    try (TestBatch free = new TestBatch(engine, spec(ManifoldKind.EUCLIDEAN, shape, 1))) {
      free.weights(new float[g.length]).step(g, 1, ReportDetail.BASIC);
      return Reference.scale(-1, Reference.doubles(free.weights()));
    }
  }

  private static double[] capped(int[] shape, double[] x, double radius) {
    return Reference.onSingularValues(shape[0], shape[1], x, s -> Math.min(s, radius));
  }

  private static void assertInBall(int[] shape, float[] w, double radius) {
    double largest = Reference.singularValues(shape[0], shape[1], w)[0];
    assertThat(largest).isLessThanOrEqualTo(radius * (1 + 1e-6));
  }

  @Property(tries = 30)
  void stepsAreProjectedSteepestDescent(
      @ForAll("shapes") int[] shape,
      @ForAll("rates") double eta,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll boolean scaled,
      @ForAll long seed) {
    double radius = scaled ? 0.3 : 1;
    try (TestBatch batch = batch(shape, radius)) {
      float[] w = batch.initialize(seed).weights();
      assertInBall(shape, w, radius);
      float[] g = gradient(shape, Math.pow(10, exponent), seed);
      double[] a = direction(shape, g);
      MatrixReport report = batch.step(g, eta, ReportDetail.OPTIMUM).get(0);
      double[] x = Reference.combine(1, Reference.doubles(w), -radius * eta, a);
      float[] next = batch.weights();
      assertInBall(shape, next, radius);
      // Where W and the step all but cancel, what is left is known to the rounding of W.
      double[] expected = capped(shape, x, radius);
      double size = Math.max(Reference.norm(expected), radius);
      assertThat(Reference.norm(Reference.combine(1, Reference.doubles(next), -1, expected)))
          .isLessThanOrEqualTo(4e-6 * size * Math.max(1, Math.min(eta, 100)));
      double inner = Reference.dot(a, Reference.doubles(g));
      double best = Arrays.stream(Reference.singularValues(shape[0], shape[1], g)).sum();
      assertThat(report.objective()).isCloseTo(inner, within(1e-5 * inner));
      assertThat(report.optimum()).isCloseTo(best, within(1e-5 * best));
      assertThat(report.tangencyRms()).isZero();
      assertThat(report.orthogonalityMax()).isBetween(0.0, 3e-6);
    }
  }

  @Property(tries = 20)
  void gradientsOfLowRankAreSteppedAlong(@ForAll("shapes") int[] shape, @ForAll long seed) {
    float[] g = Reference.rankOne(shape[0], shape[1], seed);
    try (TestBatch batch = batch(shape, 1)) {
      batch.weights(new float[g.length]);
      for (int step = 0; step < 2; step++) {
        MatrixReport report = batch.step(g, 0.8, ReportDetail.OPTIMUM).get(0);
        assertThat(report.objective()).isCloseTo(report.optimum(), within(1e-3 * report.optimum()));
      }
      // 1.6, which is capped, of the one singular value that there is.
      double[] expected =
          Reference.scale(-1 / Reference.norm(Reference.doubles(g)), Reference.doubles(g));
      assertThat(TestBatch.relativeError(batch.weights(), Reference.floats(expected)))
          .isLessThanOrEqualTo(1e-3);
      assertInBall(shape, batch.weights(), 1);
    }
  }

  @Property(tries = 20)
  void matricesOfLowRankAreProjected(@ForAll("shapes") int[] shape, @ForAll long seed) {
    float[] x = Reference.rankOne(shape[0], shape[1], seed);
    double norm = Reference.norm(Reference.doubles(x));
    try (TestBatch batch = batch(shape, norm / 3)) {
      assertThat(batch.project(x)[0]).isCloseTo(norm * 2 / 3, within(1e-5 * norm));
      float[] expected = Reference.floats(Reference.scale(1 / 3.0, Reference.doubles(x)));
      assertThat(TestBatch.relativeError(batch.weights(), expected)).isLessThanOrEqualTo(1e-5);
    }
  }

  @Property(tries = 10)
  void powersOfTwoChangeNoBitOfTheStep(
      @ForAll("shapes") int[] shape, @ForAll @IntRange(min = -90, max = 90) int power) {
    float[] once = stepped(shape, gradient(shape, 1, 5));
    assertThat(stepped(shape, gradient(shape, Math.scalb(1.0, power), 5))).isEqualTo(once);
  }

  private static float[] stepped(int[] shape, float[] g) {
    try (TestBatch batch = batch(shape, 1)) {
      batch.initialize(1).step(g, 0.1, ReportDetail.BASIC);
      return batch.weights();
    }
  }

  @Property(tries = 10)
  void nothingMovesWithoutAGradientOrALearningRate(@ForAll("shapes") int[] shape) {
    try (TestBatch batch = batch(shape, 0.7)) {
      float[] w = batch.initialize(1).weights();
      MatrixReport zero = batch.step(new float[w.length], 0.1, ReportDetail.OPTIMUM).get(0);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(zero.optimum()).isZero();
      batch.step(gradient(shape, 1, 2), 0, ReportDetail.BASIC);
      assertThat(batch.weights()).isEqualTo(w);
    }
  }

  @Provide
  Arbitrary<Double> projectionRadii() {
    return Arbitraries.of(0.8, 0.01, 1e-12, 30.0);
  }

  @Property(tries = 60)
  void projectionsAreTheNearestPoints(
      @ForAll("shapes") int[] shape,
      @ForAll @IntRange(min = -4, max = 37) int exponent,
      @ForAll("projectionRadii") double radius,
      @ForAll long seed) {
    float[] x = gradient(shape, Math.pow(10, exponent), seed);
    try (TestBatch batch = batch(shape, radius)) {
      double distance = batch.project(x)[0];
      float[] w = batch.weights();
      assertInBall(shape, w, radius);
      double square = 0;
      for (double sigma : Reference.singularValues(shape[0], shape[1], x)) {
        square += Math.pow(Math.max(0, sigma - radius), 2);
      }
      double nearest = Math.sqrt(square);
      assertThat(distance).isCloseTo(nearest, within(2e-6 * Math.max(nearest, radius)));
      if (exponent <= 1) {
        double[] expected = capped(shape, Reference.doubles(x), radius);
        double size = Reference.singularValues(shape[0], shape[1], x)[0] / radius;
        assertThat(TestBatch.relativeError(w, Reference.floats(expected)))
            .isLessThanOrEqualTo(4e-6 * Math.max(1, size));
      }
    }
  }

  /** The square of either radius is nothing that a float32 holds. */
  @Example
  void radiiScaleTheStepHoweverSmallOrLarge() {
    int[] shape = {12, 7};
    float[] g = gradient(shape, 1, 3);
    float[] unit = moved(shape, 1, g);
    for (int power : new int[] {-90, -70, 70, 90}) {
      double radius = Math.scalb(1.0, power);
      assertThat(moved(shape, radius, g)).isEqualTo(unit);
    }
  }

  /** W / r after two steps from the origin, to the boundary. */
  private static float[] moved(int[] shape, double radius, float[] g) {
    try (TestBatch batch = batch(shape, radius)) {
      batch.weights(new float[g.length]);
      for (int step = 0; step < 2; step++) {
        MatrixReport report = batch.step(g, 0.9, ReportDetail.RESIDUALS).get(0);
        assertThat(report.orthogonalityMax()).isBetween(0.0, 3e-6);
      }
      return Reference.floats(Reference.scale(1 / radius, Reference.doubles(batch.weights())));
    }
  }

  @Example
  void pointsOfTheBallAreProjectedOntoThemselves() {
    int[] shape = {6, 4};
    float[] inside = gradient(shape, 0.01, 1);
    try (TestBatch batch = batch(shape, 1)) {
      assertThat(batch.project(inside)).containsExactly(0);
      assertThat(batch.weights()).isEqualTo(inside);
      float[] w = batch.initialize(1).weights();
      assertThat(batch.project(w)[0]).isLessThanOrEqualTo(1e-6);
      assertThat(batch.project(new float[24])).containsExactly(0);
    }
  }

  /** Ten thousand, but on a device, which may be an emulated one, only with `mvn -Psoak`. */
  @Example
  void stepsDoNotDrift() {
    int steps = !TestEngines.isCuda() || Boolean.getBoolean("muond.test.soak") ? 10_000 : 1_000;
    int[] shape = {9, 5};
    try (TestBatch batch = batch(shape, 1)) {
      batch.initialize(1);
      double largest = 0;
      for (int step = 0; step < steps; step++) {
        batch.step(gradient(shape, 1, step), 0.2, ReportDetail.BASIC);
        if (step % 100 == 99 || step == steps - 1) {
          assertInBall(shape, batch.weights(), 1);
          largest =
              Math.max(largest, Reference.singularValues(shape[0], shape[1], batch.weights())[0]);
        }
      }
      // They have been at the boundary.
      assertThat(largest).isGreaterThan(0.999);
    }
  }
}
