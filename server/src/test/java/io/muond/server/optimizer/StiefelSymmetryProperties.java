package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.server.engine.TestEngines;
import io.muond.server.engine.cpu.Float64;
import io.muond.server.manifold.ManifoldKind;
import java.util.Arrays;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** What changes a step on the Stiefel manifold as it was changed itself, or not at all. */
class StiefelSymmetryProperties {
  private static StiefelSteps steps;

  @BeforeContainer
  static void open() {
    steps = new StiefelSteps(TestEngines.open(2, 1L << 30));
  }

  @AfterContainer
  static void close() {
    TestEngines.close(steps.engine());
  }

  @Property(tries = 60)
  void theStepDoesNotDependOnTheGradientsScale(
      @ForAll(supplier = StepShape.Any.class) StepShape shape,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll long seed) {
    // A power of two scales without rounding, so nothing may change but the objective.
    double scale = Math.scalb(1.0, 3 * exponent);
    float[] once = stepped(shape, StiefelSteps.gradient(shape, 1, seed), seed);
    float[] scaled = stepped(shape, StiefelSteps.gradient(shape, scale, seed), seed);
    assertThat(scaled).isEqualTo(once);
  }

  private static float[] stepped(StepShape shape, float[] g, long seed) {
    return steps.next(shape, steps.initial(shape, seed), g, 0.1, Rule.DEFAULT);
  }

  @Property(tries = 40)
  void transposingEverythingTransposesTheStep(
      @ForAll(supplier = StepShape.WithTangents.class) StepShape shape, @ForAll long seed) {
    StepShape turned = shape.turned();
    Rule rule = TestBatch.rule(Solver.EXACT, 20);
    float[] w = steps.initial(shape, seed);
    float[] g = StiefelSteps.gradient(shape, w, 1, seed);
    float[] next = steps.next(shape, w, g, 0.1, rule);
    float[] turnedNext = steps.next(turned, shape.transpose(w), shape.transpose(g), 0.1, rule);
    if (shape.rows() != shape.columns()) {
      assertThat(TestBatch.relativeError(turned.transpose(turnedNext), next))
          .isLessThanOrEqualTo(1e-4);
    }
  }

  @Property(tries = 40)
  void rotationsOfBothSidesRotateTheStep(
      @ForAll(supplier = StepShape.WithTangents.class) StepShape shape, @ForAll long seed) {
    Rule rule = TestBatch.rule(Solver.EXACT, 24);
    float[] left = steps.initial(new StepShape(shape.rows(), shape.rows()), seed + 1);
    float[] right = steps.initial(new StepShape(shape.columns(), shape.columns()), seed + 2);
    float[] w = steps.initial(shape, seed);
    float[] g = StiefelSteps.gradient(shape, w, 1, seed);
    float[] next = steps.next(shape, w, g, 0.1, rule);
    float[] rotated =
        steps.next(shape, rotate(shape, left, w, right), rotate(shape, left, g, right), 0.1, rule);
    assertThat(TestBatch.relativeError(rotated, rotate(shape, left, next, right)))
        .isLessThanOrEqualTo(tolerance(shape));
  }

  /** Odd square matrices have a direction whose sign is decided by rounding if nearly singular. */
  private static double tolerance(StepShape shape) {
    return 2e-3 / Math.sqrt(Math.min(shape.rows(), shape.columns()));
  }

  private static float[] rotate(StepShape shape, float[] left, float[] x, float[] right) {
    int r = shape.rows();
    int c = shape.columns();
    double[] lx =
        Float64.product(r, c, r, Reference.doubles(left), false, Reference.doubles(x), false);
    return Reference.floats(Float64.product(r, c, c, lx, false, Reference.doubles(right), false));
  }

  @Property(tries = 40)
  void aRadiusScalesWeightsAndNothingElse(
      @ForAll(supplier = StepShape.Any.class) StepShape shape, @ForAll long seed) {
    double radius = Math.sqrt((double) shape.rows() / shape.columns());
    BatchSpec spec =
        new BatchSpec(ManifoldKind.STIEFEL, 1, shape.rows(), shape.columns(), radius, Rule.DEFAULT);
    float[] g = StiefelSteps.gradient(shape, 1, seed);
    float[] unit = stepped(shape, g, seed);
    try (TestBatch batch = new TestBatch(steps.engine(), spec)) {
      batch.initialize(seed).step(g, 0.1, ReportDetail.BASIC);
      float[] scaled = batch.weights();
      for (int i = 0; i < scaled.length; i++) {
        scaled[i] = (float) (scaled[i] / radius);
      }
      assertThat(TestBatch.relativeError(scaled, unit)).isLessThanOrEqualTo(1e-3);
    }
  }

  /** The square of either radius is nothing that a float32 holds. */
  @Example
  void aRadiusMayBeVerySmallOrLarge() {
    StepShape shape = new StepShape(12, 7);
    float[] g = StiefelSteps.gradient(shape, 1, 3);
    float[] unit = stepped(shape, g, 5);
    for (int power : new int[] {-90, -70, 70, 90}) {
      double radius = Math.scalb(1.0, power);
      BatchSpec spec = new BatchSpec(ManifoldKind.STIEFEL, 1, 12, 7, radius, Rule.DEFAULT);
      try (TestBatch batch = new TestBatch(steps.engine(), spec)) {
        MatrixReport report = batch.initialize(5).step(g, 0.1, ReportDetail.RESIDUALS).get(0);
        assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(5e-6);
        float[] scaled = batch.weights();
        for (int i = 0; i < scaled.length; i++) {
          scaled[i] = (float) (scaled[i] / radius);
        }
        assertThat(scaled).isEqualTo(unit);
      }
    }
  }

  @Property(tries = 30)
  void aBatchStepsEachMatrixAsIfItWereAlone(
      @ForAll(supplier = StepShape.Any.class) StepShape shape,
      @ForAll @IntRange(min = 2, max = 5) int count) {
    BatchSpec spec =
        new BatchSpec(ManifoldKind.STIEFEL, count, shape.rows(), shape.columns(), 1, Rule.DEFAULT);
    int n = shape.floats();
    float[] w = new float[count * n];
    float[] g = new float[count * n];
    double[] rates = new double[count];
    for (int k = 0; k < count; k++) {
      System.arraycopy(steps.initial(shape, k), 0, w, k * n, n);
      System.arraycopy(
          StiefelSteps.gradient(shape, k == 1 ? 0 : Math.pow(10, k), k), 0, g, k * n, n);
      rates[k] = 0.02 * (k + 1);
    }
    try (TestBatch batch = new TestBatch(steps.engine(), spec)) {
      batch.weights(w).step(g, rates, ReportDetail.RESIDUALS);
      float[] together = batch.weights();
      for (int k = 0; k < count; k++) {
        float[] part = Arrays.copyOfRange(together, k * n, (k + 1) * n);
        float[] itsW = Arrays.copyOfRange(w, k * n, (k + 1) * n);
        float[] itsG = Arrays.copyOfRange(g, k * n, (k + 1) * n);
        float[] alone = steps.next(shape, itsW, itsG, rates[k], Rule.DEFAULT);
        assertThat(TestBatch.relativeError(part, alone)).isLessThanOrEqualTo(2e-6);
      }
    }
  }
}
