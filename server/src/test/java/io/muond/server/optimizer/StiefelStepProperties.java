package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Precision;
import io.muond.server.engine.TestEngines;
import io.muond.server.engine.cpu.Float64;
import io.muond.server.manifold.ManifoldKind;
import java.util.Arrays;
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
  private static Engine engine;

  @BeforeContainer
  static void open() {
    engine = TestEngines.open(2, 1L << 30);
  }

  @AfterContainer
  static void close() {
    TestEngines.close(engine);
  }

  /** A shape as users see it. */
  record Shape(int rows, int columns) {
    int floats() {
      return rows * columns;
    }

    Shape turned() {
      return new Shape(/* rows= */ columns, /* columns= */ rows);
    }
  }

  @Provide
  Arbitrary<Shape> shapes() {
    Arbitrary<Shape> any =
        Arbitraries.integers()
            .between(1, 96)
            .flatMap(r -> Arbitraries.integers().between(1, 96).map(c -> new Shape(r, c)));
    Arbitrary<Shape> special =
        Arbitraries.of(
            new Shape(1, 1),
            new Shape(1, 7),
            new Shape(7, 1),
            new Shape(2, 1),
            new Shape(2, 2),
            new Shape(3, 2),
            new Shape(64, 32),
            new Shape(32, 64),
            new Shape(65, 32),
            new Shape(300, 3),
            new Shape(5, 257),
            new Shape(130, 130),
            new Shape(200, 130));
    return Arbitraries.oneOf(any, special);
  }

  private static float[] gradient(Shape shape, double scale, long seed) {
    return TestBatch.gaussian(shape.floats(), scale, seed);
  }

  @Property(tries = 150)
  void stepsAreFeasibleAndOptimalAtEveryScale(
      @ForAll("shapes") Shape shape,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll long seed) {
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] g = gradient(shape, Math.pow(10, exponent), seed);
      MatrixReport report = batch.initialize(seed).step(g, 0.1, ReportDetail.OPTIMUM).get(0);
      assertThat(report.tangencyRms()).isLessThanOrEqualTo(5e-7);
      assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(5e-6);
      assertThat(report.objective())
          .isBetween(0.9995 * report.optimum(), 1.00001 * report.optimum());
      assertRetracted(shape, batch.weights());
      double n = Math.min(shape.rows(), shape.columns());
      assertThat(report.updateNorm()).isLessThanOrEqualTo(0.1002 * Math.sqrt(n) + 1e-6);
    }
  }

  private static void assertRetracted(Shape shape, float[] w) {
    double[] sigma = Float64.singularValues(shape.rows(), shape.columns(), doubles(w));
    assertThat(sigma[0]).isCloseTo(1, within(1e-6));
    assertThat(sigma[sigma.length - 1]).isCloseTo(1, within(1e-6));
  }

  @Property(tries = 60)
  void theStepDoesNotDependOnTheGradientsScale(
      @ForAll("shapes") Shape shape,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll long seed) {
    // A power of two scales without rounding, so nothing may change but the objective.
    double scale = Math.scalb(1.0, 3 * exponent);
    float[] once = stepped(shape, gradient(shape, 1, seed), seed, Rule.DEFAULT);
    float[] scaled = stepped(shape, gradient(shape, scale, seed), seed, Rule.DEFAULT);
    assertThat(scaled).isEqualTo(once);
  }

  private static float[] stepped(Shape shape, float[] g, long seed, Rule rule) {
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), rule);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.initialize(seed).step(g, 0.1, ReportDetail.BASIC);
      return batch.weights();
    }
  }

  @Property(tries = 40)
  void transposingEverythingTransposesTheStep(@ForAll("shapes") Shape shape, @ForAll long seed) {
    Shape turned = shape.turned();
    Rule rule = TestBatch.rule(Solver.EXACT, 20);
    float[] w = initial(shape, seed);
    float[] g = gradient(shape, 1, seed);
    float[] next = steppedFrom(shape, w, g, rule);
    float[] turnedNext = steppedFrom(turned, transpose(shape, w), transpose(shape, g), rule);
    if (shape.rows() != shape.columns()) {
      assertThat(TestBatch.relativeError(transpose(turned, turnedNext), next))
          .isLessThanOrEqualTo(1e-4);
    }
  }

  @Property(tries = 40)
  void rotationsOfBothSidesRotateTheStep(@ForAll("shapes") Shape shape, @ForAll long seed) {
    Rule rule = TestBatch.rule(Solver.EXACT, 24);
    float[] left = initial(new Shape(shape.rows(), shape.rows()), seed + 1);
    float[] right = initial(new Shape(shape.columns(), shape.columns()), seed + 2);
    float[] w = initial(shape, seed);
    float[] g = gradient(shape, 1, seed);
    float[] next = steppedFrom(shape, w, g, rule);
    float[] rotated =
        steppedFrom(shape, rotate(shape, left, w, right), rotate(shape, left, g, right), rule);
    assertThat(TestBatch.relativeError(rotated, rotate(shape, left, next, right)))
        .isLessThanOrEqualTo(tolerance(shape));
  }

  /** Odd square matrices have a direction whose sign is decided by rounding if nearly singular. */
  private static double tolerance(Shape shape) {
    return 2e-3 / Math.sqrt(Math.min(shape.rows(), shape.columns()));
  }

  private static float[] rotate(Shape shape, float[] left, float[] x, float[] right) {
    int r = shape.rows();
    int c = shape.columns();
    double[] lx = Float64.product(r, c, r, doubles(left), false, doubles(x), false);
    return floats(Float64.product(r, c, c, lx, false, doubles(right), false));
  }

  private static double[] doubles(float[] x) {
    double[] y = new double[x.length];
    Arrays.setAll(y, i -> x[i]);
    return y;
  }

  private static float[] floats(double[] x) {
    float[] y = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = (float) x[i];
    }
    return y;
  }

  private static float[] initial(Shape shape, long seed) {
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      return batch.initialize(seed).weights();
    }
  }

  private static float[] steppedFrom(Shape shape, float[] w, float[] g, Rule rule) {
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), rule);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.weights(w).step(g, 0.1, ReportDetail.BASIC);
      return batch.weights();
    }
  }

  private static float[] transpose(Shape shape, float[] x) {
    float[] y = new float[x.length];
    for (int i = 0; i < shape.rows(); i++) {
      for (int j = 0; j < shape.columns(); j++) {
        y[j * shape.rows() + i] = x[i * shape.columns() + j];
      }
    }
    return y;
  }

  @Property(tries = 40)
  void nothingMovesWithoutAGradientOrALearningRate(
      @ForAll("shapes") Shape shape, @ForAll long seed) {
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] w = batch.initialize(seed).weights();
      MatrixReport zero = batch.step(new float[shape.floats()], 0.1, ReportDetail.OPTIMUM).get(0);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(zero.objective()).isZero();
      assertThat(zero.optimum()).isZero();
      batch.step(gradient(shape, 1, seed), 0, ReportDetail.BASIC);
      assertThat(batch.weights()).isEqualTo(w);
    }
  }

  @Property(tries = 60)
  void everyLearningRateUpToTheLargestStaysOnTheManifold(
      @ForAll("shapes") Shape shape, @ForAll @IntRange(min = 1, max = 80) int tenths) {
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] g = gradient(shape, 1, tenths);
      MatrixReport report =
          batch.initialize(1).step(g, tenths / 10.0, ReportDetail.RESIDUALS).get(0);
      assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(5e-6);
      assertRetracted(shape, batch.weights());
    }
  }

  @Property(tries = 40)
  void aRadiusScalesWeightsAndNothingElse(@ForAll("shapes") Shape shape, @ForAll long seed) {
    double radius = Math.sqrt((double) shape.rows() / shape.columns());
    BatchSpec spec =
        new BatchSpec(ManifoldKind.STIEFEL, 1, shape.rows(), shape.columns(), radius, Rule.DEFAULT);
    float[] g = gradient(shape, 1, seed);
    float[] unit = stepped(shape, g, seed, Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
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
    Shape shape = new Shape(12, 7);
    float[] g = gradient(shape, 1, 3);
    float[] unit = stepped(shape, g, 5, Rule.DEFAULT);
    for (int power : new int[] {-90, -70, 70, 90}) {
      double radius = Math.scalb(1.0, power);
      BatchSpec spec = new BatchSpec(ManifoldKind.STIEFEL, 1, 12, 7, radius, Rule.DEFAULT);
      try (TestBatch batch = new TestBatch(engine, spec)) {
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
      @ForAll("shapes") Shape shape, @ForAll @IntRange(min = 2, max = 5) int count) {
    BatchSpec spec =
        new BatchSpec(ManifoldKind.STIEFEL, count, shape.rows(), shape.columns(), 1, Rule.DEFAULT);
    int n = shape.floats();
    float[] w = new float[count * n];
    float[] g = new float[count * n];
    double[] rates = new double[count];
    for (int k = 0; k < count; k++) {
      System.arraycopy(initial(shape, k), 0, w, k * n, n);
      System.arraycopy(gradient(shape, k == 1 ? 0 : Math.pow(10, k), k), 0, g, k * n, n);
      rates[k] = 0.02 * (k + 1);
    }
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.weights(w).step(g, rates, ReportDetail.RESIDUALS);
      float[] together = batch.weights();
      for (int k = 0; k < count; k++) {
        float[] part = Arrays.copyOfRange(together, k * n, (k + 1) * n);
        float[] alone = alone(shape, w, g, rates[k], k);
        assertThat(TestBatch.relativeError(part, alone)).isLessThanOrEqualTo(2e-6);
      }
    }
  }

  private static float[] alone(Shape shape, float[] w, float[] g, double rate, int k) {
    int n = shape.floats();
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch
          .weights(Arrays.copyOfRange(w, k * n, (k + 1) * n))
          .step(Arrays.copyOfRange(g, k * n, (k + 1) * n), rate, ReportDetail.BASIC);
      return batch.weights();
    }
  }

  @Property(tries = 30)
  void momentumStepsTakeTheRunningSum(@ForAll("shapes") Shape shape, @ForAll boolean nesterov) {
    double beta = 0.9;
    Rule rule = new Rule(Solver.EXACT, Precision.FLOAT32, 8, beta, nesterov, 0.01, 1e-6, 4, 100);
    float[] running = new float[shape.floats()];
    float[] expected = initial(shape, 3);
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), rule);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.weights(expected);
      for (int step = 0; step < 3; step++) {
        float[] g = gradient(shape, 1, step);
        float[] taken = new float[g.length];
        for (int i = 0; i < g.length; i++) {
          running[i] = (float) (beta * running[i] + g[i]);
          taken[i] = nesterov ? (float) (g[i] + beta * running[i]) : running[i];
        }
        batch.step(g, 0.05, ReportDetail.BASIC);
        expected = steppedFrom2(shape, expected, taken);
      }
      assertThat(TestBatch.relativeError(batch.weights(), expected)).isLessThanOrEqualTo(2e-3);
    }
  }

  private static float[] steppedFrom2(Shape shape, float[] w, float[] g) {
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.weights(w).step(g, 0.05, ReportDetail.BASIC);
      return batch.weights();
    }
  }

  @Property(tries = 40)
  void arbitraryMatricesAreProjectedHoweverDeficient(
      @ForAll("shapes") Shape shape, @ForAll @IntRange(min = 0, max = 3) int rank) {
    float[] x = new float[shape.floats()];
    for (int r = 0; r < rank; r++) {
      float[] left = TestBatch.gaussian(shape.rows(), 1e3, r);
      float[] right = TestBatch.gaussian(shape.columns(), 1, r + 10);
      for (int i = 0; i < x.length; i++) {
        x[i] += left[i / shape.columns()] * right[i % shape.columns()];
      }
    }
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      double distance = batch.project(x)[0];
      float[] projected = batch.weights();
      double[] sigma = Float64.singularValues(shape.rows(), shape.columns(), doubles(projected));
      assertThat(sigma[0]).isCloseTo(1, within(2e-6));
      assertThat(sigma[sigma.length - 1]).isCloseTo(1, within(2e-6));
      double nearest = 0;
      for (double s : Float64.singularValues(shape.rows(), shape.columns(), doubles(x))) {
        nearest += (s - 1) * (s - 1);
      }
      assertThat(distance).isCloseTo(Math.sqrt(nearest), within(1e-3 * Math.sqrt(nearest) + 1e-4));
    }
  }

  @Example
  void projectingAPointOfTheManifoldLeavesItThere() {
    Shape shape = new Shape(48, 20);
    float[] w = initial(shape, 5);
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      assertThat(batch.project(w)[0]).isLessThanOrEqualTo(1e-5);
      assertThat(TestBatch.relativeError(batch.weights(), w)).isLessThanOrEqualTo(1e-6);
    }
  }

  /** Ten thousand, but on a device, which may be an emulated one, only with `mvn -Psoak`. */
  @Example
  void stepsDoNotDrift() {
    int steps = !TestEngines.isCuda() || Boolean.getBoolean("muond.test.soak") ? 10_000 : 1_000;
    Shape shape = new Shape(48, 20);
    BatchSpec spec = TestBatch.stiefel(shape.rows(), shape.columns(), Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.initialize(1);
      double worst = 0;
      for (int step = 0; step < steps; step++) {
        float[] g = gradient(shape, 1, step);
        List<MatrixReport> reports = batch.step(g, 0.05, ReportDetail.RESIDUALS);
        worst = Math.max(worst, reports.get(0).orthogonalityMax());
      }
      assertThat(worst).isLessThanOrEqualTo(5e-6);
    }
  }

  /** Dual ascent stops matrix by matrix: without a gradient, at once. */
  @Example
  void whatAMatrixTookIsItsOwn() {
    Shape shape = new Shape(9, 6);
    int n = shape.floats();
    Rule rule = TestBatch.rule(Solver.DUAL_ASCENT, 10);
    BatchSpec spec = new BatchSpec(ManifoldKind.STIEFEL, 3, 9, 6, 1, rule);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] g = new float[3 * n];
      System.arraycopy(gradient(shape, 1, 1), 0, g, n, n);
      List<MatrixReport> reports = batch.initialize(1).step(g, 0.1, ReportDetail.BASIC);
      assertThat(reports.get(0).iterations()).isEqualTo(1);
      assertThat(reports.get(1).iterations()).isGreaterThan(10);
      assertThat(reports.get(2).iterations()).isEqualTo(1);
      assertThat(reports.get(1).flops()).isGreaterThan(5 * reports.get(0).flops());
      assertThat(reports.get(2).flops()).isEqualTo(reports.get(0).flops());
    }
  }

  @Example
  void aNumberThatIsNotFiniteIsNamed() {
    Shape shape = new Shape(6, 9);
    BatchSpec spec = new BatchSpec(ManifoldKind.STIEFEL, 2, 6, 9, 1, Rule.DEFAULT);
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      try (TestBatch batch = new TestBatch(engine, spec)) {
        float[] w = batch.initialize(1).weights();
        float[] g = TestBatch.gaussian(2 * shape.floats(), 1, 1);
        g[shape.floats() + 17] = bad;
        assertThatThrownBy(() -> batch.step(g, 0.1, ReportDetail.BASIC))
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
