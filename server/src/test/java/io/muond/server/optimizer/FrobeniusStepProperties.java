package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.server.engine.cpu.Float64;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** What holds for a step on the Stiefel manifold in the Frobenius norm. */
class FrobeniusStepProperties {
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
        new int[] {3, 2},
        new int[] {2, 3},
        new int[] {9, 1},
        new int[] {6, 6},
        new int[] {12, 5},
        new int[] {5, 13},
        new int[] {20, 17});
  }

  private static BatchSpec spec(int[] shape, double radius) {
    return spec(1, shape, radius);
  }

  private static BatchSpec spec(int count, int[] shape, double radius) {
    return new BatchSpec(
        ManifoldKind.STIEFEL,
        NormKind.FROBENIUS,
        count,
        shape[0],
        shape[1],
        radius,
        Rule.DEFAULT,
        Start.GAUSSIAN);
  }

  private static float[] gradient(int[] shape, double scale, long seed) {
    return TestBatch.gaussian(shape[0] * shape[1], scale, seed);
  }

  /**
   * The best direction at U: the gradient within the null space of what makes tangent, over its
   * norm.
   */
  private static double[] best(int[] shape, double[] u, float[] g) {
    int m = Math.max(shape[0], shape[1]);
    int n = Math.min(shape[0], shape[1]);
    double[] tallU = tall(shape, u);
    List<double[]> constraints = Reference.stiefelConstraints(m, n, tallU);
    double[] p = Reference.satisfying(constraints, tall(shape, Reference.doubles(g)));
    double[] a = Reference.scale(1 / Reference.norm(p), p);
    return shape[0] < shape[1] ? Reference.transpose(m, n, a) : a;
  }

  private static double[] tall(int[] shape, double[] x) {
    return shape[0] < shape[1] ? Reference.transpose(shape[0], shape[1], x) : x;
  }

  @Property(tries = 25)
  void stepsAreTheBestAtEveryScale(
      @ForAll("shapes") int[] shape,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll @IntRange(min = 1, max = 20) int tenths,
      @ForAll boolean scaled,
      @ForAll long seed) {
    double radius = scaled ? 0.3 : 1;
    double eta = tenths / 10.0;
    try (TestBatch batch = new TestBatch(engine, spec(shape, radius))) {
      double[] u = Reference.scale(1 / radius, Reference.doubles(batch.initialize(seed).weights()));
      float[] g = gradient(shape, Math.pow(10, exponent), seed);
      MatrixReport report = batch.step(g, eta, ReportDetail.OPTIMUM).get(0);
      double[] a = best(shape, u, g);
      double[] y = Reference.combine(1, u, -eta, a);
      double[] expected = Reference.onSingularValues(shape[0], shape[1], y, s -> radius);
      float[] next = batch.weights();
      assertThat(TestBatch.relativeError(next, Reference.floats(expected)))
          .isLessThanOrEqualTo(4e-6);
      for (double sigma : Reference.singularValues(shape[0], shape[1], next)) {
        assertThat(sigma / radius).isCloseTo(1, within(1e-6));
      }
      double optimum = Reference.dot(Reference.doubles(g), a);
      assertThat(report.objective()).isCloseTo(optimum, within(1e-5 * optimum));
      assertThat(report.optimum()).isCloseTo(optimum, within(1e-5 * optimum));
      assertThat(report.feasibleObjective()).isCloseTo(optimum, within(1e-5 * optimum));
      assertThat(report.tangencyRms()).isLessThanOrEqualTo(5e-7);
      assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(2e-6);
    }
  }

  @Property(tries = 10)
  void powersOfTwoChangeNoBitOfTheStep(
      @ForAll("shapes") int[] shape, @ForAll @IntRange(min = -90, max = 90) int power) {
    float[] once = stepped(shape, gradient(shape, 1, 5));
    assertThat(stepped(shape, gradient(shape, Math.scalb(1.0, power), 5))).isEqualTo(once);
  }

  private static float[] stepped(int[] shape, float[] g) {
    try (TestBatch batch = new TestBatch(engine, spec(shape, 1))) {
      batch.initialize(1).step(g, 0.1, ReportDetail.BASIC);
      return batch.weights();
    }
  }

  @Example
  void nothingMovesWithoutAGradientOrALearningRate() {
    int[] shape = {7, 4};
    try (TestBatch batch = new TestBatch(engine, spec(2, shape, 0.7))) {
      float[] w = batch.initialize(1).weights();
      List<MatrixReport> zero = batch.step(new float[w.length], 0.1, ReportDetail.OPTIMUM);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(zero.get(1).optimum()).isZero();
      batch.step(TestBatch.gaussian(w.length, 1, 2), 0, ReportDetail.BASIC);
      assertThat(batch.weights()).isEqualTo(w);
    }
  }

  @Property(tries = 40)
  void aNormalGradientMovesNothing(
      @ForAll("shapes") int[] shape,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll long seed) {
    int n = Math.min(shape[0], shape[1]);
    boolean tall = shape[0] >= shape[1];
    float[] x = TestBatch.gaussian(n * n, Math.pow(10, exponent), seed);
    double[] s = Reference.doubles(x);
    s = Reference.combine(1, s, 1, Reference.transpose(n, n, s));
    try (TestBatch batch = new TestBatch(engine, spec(shape, 1))) {
      float[] w = batch.initialize(seed).weights();
      double[] u = Reference.doubles(w);
      double[] g =
          tall
              ? Float64.product(shape[0], n, n, u, false, s, false)
              : Float64.product(n, shape[1], n, s, false, u, false);
      MatrixReport report = batch.step(Reference.floats(g), 0.1, ReportDetail.OPTIMUM).get(0);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(report.objective()).isZero();
      batch.step(w, 0.1, ReportDetail.BASIC);
      assertThat(batch.weights()).isEqualTo(w);
    }
  }

  @Example
  void oneElementHasNoTangentSpace() {
    try (TestBatch batch = new TestBatch(engine, spec(new int[] {1, 1}, 1))) {
      float[] w = batch.initialize(1).weights();
      MatrixReport report = batch.step(new float[] {3}, 1.5, ReportDetail.OPTIMUM).get(0);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(report.objective()).isZero();
    }
  }

  /** Ten thousand, but on a device, which may be an emulated one, only with `mvn -Psoak`. */
  @Example
  void stepsDoNotDrift() {
    int steps = !TestEngines.isCuda() || Boolean.getBoolean("muond.test.soak") ? 10_000 : 200;
    int[] shape = {12, 5};
    try (TestBatch batch = new TestBatch(engine, spec(shape, 1))) {
      batch.initialize(1);
      for (int step = 0; step < steps; step++) {
        batch.step(gradient(shape, 1, step), 0.05, ReportDetail.BASIC);
      }
      for (double sigma : Reference.singularValues(12, 5, batch.weights())) {
        assertThat(sigma).isCloseTo(1, within(1e-6));
      }
    }
  }
}
