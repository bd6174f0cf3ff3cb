package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.Precision;
import io.muond.server.engine.TestEngines;
import io.muond.server.manifold.ManifoldKind;
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

/** What holds for a step of any shape, any scale and any gradient. */
class StiefelStepProperties {
  private static StiefelSteps steps;

  @BeforeContainer
  static void open() {
    steps = new StiefelSteps(TestEngines.open(2, 1L << 30));
  }

  @AfterContainer
  static void close() {
    TestEngines.close(steps.engine());
  }

  @Property(tries = 150)
  void stepsAreFeasibleAndOptimalAtEveryScale(
      @ForAll(supplier = StepShape.WithTangents.class) StepShape shape,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll long seed) {
    try (TestBatch batch = steps.batch(shape, Rule.DEFAULT)) {
      float[] w = batch.initialize(seed).weights();
      float[] g = StiefelSteps.gradient(shape, w, Math.pow(10, exponent), seed);
      MatrixReport report = batch.step(g, 0.1, ReportDetail.OPTIMUM).get(0);
      assertThat(report.objective())
          .isBetween(0.9995 * report.optimum(), 1.00001 * report.optimum());
      // Made tangent, and no longer than 1, the direction is worth as much.
      assertThat(report.feasibleObjective())
          .isCloseTo(report.objective(), within(1e-5 * report.optimum()));
      assertFeasible(shape, report, batch.weights());
    }
  }

  /** Of the optimum, which is rounding if all of the gradient is normal, no share is promised. */
  @Property(tries = 50)
  void stepsAlongAlmostNormalGradientsAreFeasible(
      @ForAll(supplier = StepShape.Any.class) StepShape shape,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll @IntRange(min = 3, max = 9) int digits,
      @ForAll long seed) {
    try (TestBatch batch = steps.batch(shape, Rule.DEFAULT)) {
      float[] w = batch.initialize(seed).weights();
      float[] any = StiefelSteps.gradient(shape, Math.pow(10, exponent), seed);
      double[] normal = StiefelSteps.normalPart(shape, w, any);
      double share = Math.pow(10, -digits);
      float[] g = Reference.floats(Reference.combine(1, normal, share, Reference.doubles(any)));
      MatrixReport report = batch.step(g, 0.1, ReportDetail.OPTIMUM).get(0);
      double rounding = 1e-6 * Reference.norm(Reference.doubles(g));
      assertThat(report.objective())
          .isCloseTo(report.optimum(), within(5e-4 * report.optimum() + rounding));
      assertFeasible(shape, report, batch.weights());
    }
  }

  /** From (1, 0) along (1, 1e-k), whose second element is all that counts: to (1, −0.1) / √1.01. */
  @Property
  void howLittleIsTangentDoesNotMatter(
      @ForAll @IntRange(min = 0, max = 36) int digits, @ForAll boolean exact) {
    Rule rule = TestBatch.rule(exact ? Solver.EXACT : Solver.PROJECTED, 20);
    float[] g = {1, (float) Math.pow(10, -digits)};
    float[] next = steps.next(new StepShape(2, 1), new float[] {1, 0}, g, 0.1, rule);
    float[] expected = {(float) (1 / Math.sqrt(1.01)), (float) (-0.1 / Math.sqrt(1.01))};
    assertThat(next).containsExactly(expected, within(1e-6f));
  }

  private static void assertFeasible(StepShape shape, MatrixReport report, float[] w) {
    assertThat(report.tangencyRms()).isLessThanOrEqualTo(5e-7);
    assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(5e-6);
    assertRetracted(shape, w);
    double n = Math.min(shape.rows(), shape.columns());
    assertThat(report.updateNorm()).isLessThanOrEqualTo(0.1002 * Math.sqrt(n) + 1e-6);
  }

  private static void assertRetracted(StepShape shape, float[] w) {
    double[] sigma = Reference.singularValues(shape.rows(), shape.columns(), w);
    assertThat(sigma[0]).isCloseTo(1, within(1e-6));
    assertThat(sigma[sigma.length - 1]).isCloseTo(1, within(1e-6));
  }

  @Property(tries = 40)
  void nothingMovesWithoutAGradientOrALearningRate(
      @ForAll(supplier = StepShape.Any.class) StepShape shape, @ForAll long seed) {
    try (TestBatch batch = steps.batch(shape, Rule.DEFAULT)) {
      float[] w = batch.initialize(seed).weights();
      MatrixReport zero = batch.step(new float[shape.floats()], 0.1, ReportDetail.OPTIMUM).get(0);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(zero.objective()).isZero();
      assertThat(zero.optimum()).isZero();
      batch.step(StiefelSteps.gradient(shape, 1, seed), 0, ReportDetail.BASIC);
      assertThat(batch.weights()).isEqualTo(w);
    }
  }

  @Property(tries = 60)
  void everyLearningRateUpToTheLargestStaysOnTheManifold(
      @ForAll(supplier = StepShape.Any.class) StepShape shape,
      @ForAll @IntRange(min = 1, max = 80) int tenths) {
    try (TestBatch batch = steps.batch(shape, Rule.DEFAULT)) {
      float[] g = StiefelSteps.gradient(shape, 1, tenths);
      MatrixReport report =
          batch.initialize(1).step(g, tenths / 10.0, ReportDetail.RESIDUALS).get(0);
      assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(5e-6);
      assertRetracted(shape, batch.weights());
    }
  }

  @Property(tries = 30)
  void momentumStepsTakeTheRunningSum(
      @ForAll(supplier = StepShape.Any.class) StepShape shape, @ForAll boolean nesterov) {
    double beta = 0.9;
    Rule rule = new Rule(Solver.EXACT, Precision.FLOAT32, 8, beta, nesterov, 0.01, 1e-6, 4, 100);
    float[] running = new float[shape.floats()];
    float[] expected = steps.initial(shape, 3);
    try (TestBatch batch = steps.batch(shape, rule)) {
      batch.weights(expected);
      for (int step = 0; step < 3; step++) {
        float[] g = StiefelSteps.gradient(shape, 1, step);
        float[] taken = new float[g.length];
        for (int i = 0; i < g.length; i++) {
          running[i] = (float) (beta * running[i] + g[i]);
          taken[i] = nesterov ? (float) (g[i] + beta * running[i]) : running[i];
        }
        batch.step(g, 0.05, ReportDetail.BASIC);
        expected = steps.next(shape, expected, taken, 0.05, Rule.DEFAULT);
      }
      assertThat(TestBatch.relativeError(batch.weights(), expected)).isLessThanOrEqualTo(2e-3);
    }
  }

  @Property(tries = 40)
  void arbitraryMatricesAreProjectedHoweverDeficient(
      @ForAll(supplier = StepShape.Any.class) StepShape shape,
      @ForAll @IntRange(min = 0, max = 3) int rank) {
    float[] x = new float[shape.floats()];
    for (int r = 0; r < rank; r++) {
      float[] left = TestBatch.gaussian(shape.rows(), 1e3, r);
      float[] right = TestBatch.gaussian(shape.columns(), 1, r + 10);
      for (int i = 0; i < x.length; i++) {
        x[i] += left[i / shape.columns()] * right[i % shape.columns()];
      }
    }
    try (TestBatch batch = steps.batch(shape, Rule.DEFAULT)) {
      double distance = batch.project(x)[0];
      float[] projected = batch.weights();
      double[] sigma = Reference.singularValues(shape.rows(), shape.columns(), projected);
      assertThat(sigma[0]).isCloseTo(1, within(2e-6));
      assertThat(sigma[sigma.length - 1]).isCloseTo(1, within(2e-6));
      double nearest = 0;
      for (double s : Reference.singularValues(shape.rows(), shape.columns(), x)) {
        nearest += (s - 1) * (s - 1);
      }
      assertThat(distance).isCloseTo(Math.sqrt(nearest), within(1e-3 * Math.sqrt(nearest) + 1e-4));
    }
  }

  @Example
  void projectingAPointOfTheManifoldLeavesItThere() {
    StepShape shape = new StepShape(48, 20);
    float[] w = steps.initial(shape, 5);
    try (TestBatch batch = steps.batch(shape, Rule.DEFAULT)) {
      assertThat(batch.project(w)[0]).isLessThanOrEqualTo(1e-5);
      assertThat(TestBatch.relativeError(batch.weights(), w)).isLessThanOrEqualTo(1e-6);
    }
  }

  @Provide
  Arbitrary<StepShape> driftShapes() {
    return Arbitraries.of(new StepShape(48, 20), new StepShape(9, 25), new StepShape(12, 12));
  }

  /** Ten thousand, but on a device, which may be an emulated one, only with `mvn -Psoak`. */
  @Property
  void stepsDoNotDrift(@ForAll("driftShapes") StepShape shape) {
    int count = !TestEngines.isCuda() || Boolean.getBoolean("muond.test.soak") ? 10_000 : 1_000;
    try (TestBatch batch = steps.batch(shape, Rule.DEFAULT)) {
      batch.initialize(1);
      double worst = 0;
      for (int step = 0; step < count; step++) {
        float[] g = StiefelSteps.gradient(shape, 1, step);
        List<MatrixReport> reports = batch.step(g, 0.05, ReportDetail.RESIDUALS);
        worst = Math.max(worst, reports.get(0).orthogonalityMax());
      }
      assertThat(worst).isLessThanOrEqualTo(5e-6);
      assertRetracted(shape, batch.weights());
    }
  }

  /** Dual ascent stops matrix by matrix: without a gradient, at once. */
  @Example
  void whatAMatrixTookIsItsOwn() {
    StepShape shape = new StepShape(9, 6);
    int n = shape.floats();
    Rule rule = TestBatch.rule(Solver.DUAL_ASCENT, 10);
    BatchSpec spec = new BatchSpec(ManifoldKind.STIEFEL, 3, 9, 6, 1, rule);
    try (TestBatch batch = new TestBatch(steps.engine(), spec)) {
      float[] g = new float[3 * n];
      System.arraycopy(StiefelSteps.gradient(shape, 1, 1), 0, g, n, n);
      List<MatrixReport> reports = batch.initialize(1).step(g, 0.1, ReportDetail.BASIC);
      assertThat(reports.get(0).iterations()).isEqualTo(1);
      assertThat(reports.get(1).iterations()).isGreaterThan(10);
      assertThat(reports.get(2).iterations()).isEqualTo(1);
      assertThat(reports.get(1).flops()).isGreaterThan(5 * reports.get(0).flops());
      assertThat(reports.get(2).flops()).isEqualTo(reports.get(0).flops());
    }
  }

  @Property
  void aNumberThatIsNotFiniteIsNamed(@ForAll ReportDetail detail) {
    StepShape shape = new StepShape(6, 9);
    BatchSpec spec = new BatchSpec(ManifoldKind.STIEFEL, 2, 6, 9, 1, Rule.DEFAULT);
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      try (TestBatch batch = new TestBatch(steps.engine(), spec)) {
        float[] w = batch.initialize(1).weights();
        float[] g = TestBatch.gaussian(2 * shape.floats(), 1, 1);
        g[shape.floats() + 17] = bad;
        assertThatThrownBy(() -> batch.step(g, 0.1, detail))
            .isInstanceOfSatisfying(
                NotFiniteException.class,
                e -> {
                  assertThat(e.matrix()).isEqualTo(1);
                  assertThat(e.index()).isEqualTo(17);
                });
        assertThat(batch.weights()).isEqualTo(w);
      }
    }
  }
}
