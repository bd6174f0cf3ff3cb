package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Precision;
import io.muond.server.engine.TestEngines;
import io.muond.server.manifold.ManifoldKind;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** What holds for a step on spheres, row by row. */
class ObliqueStepProperties {
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
  Arbitrary<BatchSpec> specs() {
    Arbitrary<int[]> shapes =
        Arbitraries.of(
            new int[] {1, 1, 2},
            new int[] {1, 1, 1_000},
            new int[] {3, 1, 17},
            new int[] {1, 40, 9},
            new int[] {2, 9, 40},
            new int[] {1, 3, 9_000});
    return Combinators.combine(shapes, Arbitraries.of(1.0, 0.25, 30.0))
        .as((shape, radius) -> spec(shape[0], shape[1], shape[2], radius, Rule.DEFAULT));
  }

  private static BatchSpec spec(int count, int rows, int columns, double radius, Rule rule) {
    return new BatchSpec(ManifoldKind.OBLIQUE, count, rows, columns, radius, rule);
  }

  private static float[] gradient(BatchSpec spec, double scale, long seed) {
    return TestBatch.gaussian(Math.toIntExact(spec.floats()), scale, seed);
  }

  /** r (u − η P(g)/‖P(g)‖) / ‖·‖ row by row, in float64, of weights w = r u. */
  private static float[] expected(BatchSpec spec, float[] w, float[] g, double[] eta) {
    int cols = Math.toIntExact(spec.columns());
    float[] next = new float[w.length];
    for (int start = 0; start < w.length; start += cols) {
      double[] u = row(w, start, cols);
      scale(u, 1 / Math.sqrt(dot(u, u)));
      double[] p = row(g, start, cols);
      double along = dot(u, p);
      for (int j = 0; j < cols; j++) {
        p[j] -= along * u[j];
      }
      scale(p, eta[Math.toIntExact(start / spec.matrixFloats())] / Math.sqrt(dot(p, p)));
      for (int j = 0; j < cols; j++) {
        u[j] -= p[j];
      }
      scale(u, spec.radius() / Math.sqrt(dot(u, u)));
      for (int j = 0; j < cols; j++) {
        next[start + j] = (float) u[j];
      }
    }
    return next;
  }

  private static double[] row(float[] x, int start, int cols) {
    double[] row = new double[cols];
    for (int j = 0; j < cols; j++) {
      row[j] = x[start + j];
    }
    return row;
  }

  private static void scale(double[] x, double factor) {
    for (int j = 0; j < x.length; j++) {
      x[j] *= factor;
    }
  }

  private static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int j = 0; j < x.length; j++) {
      sum += x[j] * y[j];
    }
    return sum;
  }

  private static void assertOnManifold(BatchSpec spec, float[] w) {
    int cols = Math.toIntExact(spec.columns());
    for (int start = 0; start < w.length; start += cols) {
      double[] row = row(w, start, cols);
      assertThat(Math.sqrt(dot(row, row)) / spec.radius()).isCloseTo(1, within(1e-6));
    }
  }

  @Property(tries = 60)
  void stepsFollowTheGeodesicsDirectionAtEveryScale(
      @ForAll("specs") BatchSpec spec,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll @IntRange(min = 1, max = 40) int tenths,
      @ForAll long seed) {
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] w = batch.initialize(seed).weights();
      float[] g = gradient(spec, Math.pow(10, exponent), seed);
      double[] eta = new double[spec.count()];
      Arrays.setAll(eta, k -> tenths / 10.0 / (k + 1));
      List<MatrixReport> reports = batch.step(g, eta, ReportDetail.OPTIMUM);
      float[] next = batch.weights();
      assertOnManifold(spec, next);
      assertThat(TestBatch.relativeError(next, expected(spec, w, g, eta)))
          .isLessThanOrEqualTo(1e-5);
      for (int k = 0; k < spec.count(); k++) {
        MatrixReport report = reports.get(k);
        double optimum = optimum(spec, w, g, k);
        assertThat(report.objective()).isCloseTo(optimum, within(1e-5 * optimum));
        assertThat(report.optimum()).isCloseTo(optimum, within(1e-5 * optimum));
        assertThat(report.feasibleObjective()).isCloseTo(optimum, within(1e-5 * optimum));
        assertThat(report.tangencyRms()).isLessThanOrEqualTo(5e-7);
        assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(2e-6);
        assertThat(report.updateNorm()).isPositive();
      }
    }
  }

  /** Of matrix k, the sum of its rows' optima: the norms of what is left orthogonal to each. */
  private static double optimum(BatchSpec spec, float[] w, float[] g, int k) {
    int cols = Math.toIntExact(spec.columns());
    int floats = Math.toIntExact(spec.matrixFloats());
    double sum = 0;
    for (int start = k * floats; start < (k + 1) * floats; start += cols) {
      sum +=
          Reference.norm(Reference.satisfying(List.of(row(w, start, cols)), row(g, start, cols)));
    }
    return sum;
  }

  @Property(tries = 30)
  void powersOfTwoChangeNoBitOfTheStep(
      @ForAll("specs") BatchSpec spec,
      @ForAll @IntRange(min = -90, max = 90) int power,
      @ForAll long seed) {
    float[] once = stepped(spec, gradient(spec, 1, seed), seed);
    float[] scaled = stepped(spec, gradient(spec, Math.scalb(1.0, power), seed), seed);
    assertThat(scaled).isEqualTo(once);
  }

  private static float[] stepped(BatchSpec spec, float[] g, long seed) {
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.initialize(seed).step(g, 0.1, ReportDetail.BASIC);
      return batch.weights();
    }
  }

  @Property(tries = 30)
  void rowsWithoutAGradientStayBitForBit(@ForAll("specs") BatchSpec spec, @ForAll long seed) {
    int cols = Math.toIntExact(spec.columns());
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] w = batch.initialize(seed).weights();
      float[] g = gradient(spec, 1, seed);
      for (int start = 0; start < g.length; start += 2 * cols) {
        Arrays.fill(g, start, start + cols, 0);
      }
      batch.step(g, 0.1, ReportDetail.BASIC);
      float[] next = batch.weights();
      for (int start = 0; start < g.length; start += cols) {
        float[] before = Arrays.copyOfRange(w, start, start + cols);
        float[] after = Arrays.copyOfRange(next, start, start + cols);
        if (start / cols % 2 == 0) {
          assertThat(after).isEqualTo(before);
        } else {
          assertThat(after).isNotEqualTo(before);
        }
      }
    }
  }

  @Property(tries = 20)
  void nothingMovesWithoutALearningRate(@ForAll("specs") BatchSpec spec, @ForAll long seed) {
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] w = batch.initialize(seed).weights();
      List<MatrixReport> reports = batch.step(gradient(spec, 1, seed), 0, ReportDetail.BASIC);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(reports).hasSize(spec.count()).allMatch(report -> report.updateNorm() == 0);
    }
  }

  @Example
  void tenThousandStepsDoNotDrift() {
    BatchSpec spec = spec(1, 5, 12, 3, Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.initialize(1);
      double worst = 0;
      for (int step = 0; step < 10_000; step++) {
        List<MatrixReport> reports =
            batch.step(gradient(spec, 1, step), 0.05, ReportDetail.RESIDUALS);
        worst = Math.max(worst, reports.get(0).orthogonalityMax());
      }
      assertThat(worst).isLessThanOrEqualTo(1e-6);
      assertOnManifold(spec, batch.weights());
    }
  }

  private static Rule withMomentum(double beta, boolean nesterov) {
    return new Rule(Solver.EXACT, Precision.FLOAT32, 8, beta, nesterov, 0.01, 1e-6, 4, 100);
  }

  @Property(tries = 30)
  void momentumStepsTakeTheRunningSum(@ForAll("specs") BatchSpec plain, @ForAll boolean nesterov) {
    double beta = 0.9;
    BatchSpec spec =
        spec(
            plain.count(),
            Math.toIntExact(plain.rows()),
            Math.toIntExact(plain.columns()),
            plain.radius(),
            withMomentum(beta, nesterov));
    double[] eta = new double[spec.count()];
    Arrays.fill(eta, 0.05);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] w = batch.initialize(3).weights();
      float[] running = new float[w.length];
      for (int step = 0; step < 4; step++) {
        float[] g = gradient(spec, 1, step);
        float[] taken = new float[g.length];
        for (int i = 0; i < g.length; i++) {
          running[i] = (float) (beta * running[i] + g[i]);
          taken[i] = nesterov ? (float) (g[i] + beta * running[i]) : running[i];
        }
        batch.step(g, 0.05, ReportDetail.BASIC);
        w = expected(spec, w, taken, eta);
      }
      assertThat(TestBatch.relativeError(batch.weights(), w)).isLessThanOrEqualTo(1e-5);
    }
  }

  @Property(tries = 30)
  void rotationsOfTheSphereRotateTheStep(
      @ForAll @IntRange(min = 2, max = 300) int n, @ForAll long seed) {
    BatchSpec spec = spec(1, 1, n, 2, Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec);
        TestBatch rotated = new TestBatch(engine, spec)) {
      float[] w = batch.initialize(seed).weights();
      float[] g = gradient(spec, 1, seed);
      batch.step(g, 0.3, ReportDetail.BASIC);
      rotated.weights(rotate(w, seed)).step(rotate(g, seed), 0.3, ReportDetail.BASIC);
      assertThat(TestBatch.relativeError(rotated.weights(), rotate(batch.weights(), seed)))
          .isLessThanOrEqualTo(1e-5);
    }
  }

  /** Two reflections, which make a rotation. */
  private static float[] rotate(float[] x, long seed) {
    double[] y = row(x, 0, x.length);
    for (int i = 1; i <= 2; i++) {
      double[] v = row(TestBatch.gaussian(x.length, 1, seed + i), 0, x.length);
      double twice = 2 * dot(v, y) / dot(v, v);
      for (int j = 0; j < y.length; j++) {
        y[j] -= twice * v[j];
      }
    }
    float[] rotated = new float[x.length];
    for (int j = 0; j < y.length; j++) {
      rotated[j] = (float) y[j];
    }
    return rotated;
  }

  @Property(tries = 30)
  void projectionsAreTheNearestPointsAndTheirDistanceIsTold(
      @ForAll("specs") BatchSpec spec, @ForAll @IntRange(min = -30, max = 18) int exponent) {
    int cols = Math.toIntExact(spec.columns());
    float[] x = gradient(spec, Math.pow(10, exponent), 1);
    Arrays.fill(x, 0, cols, 0);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      double[] distance = batch.project(x);
      assertOnManifold(spec, batch.weights());
      double[] squares = new double[spec.count()];
      for (int start = 0; start < x.length; start += cols) {
        double[] row = row(x, start, cols);
        double gap = Math.sqrt(dot(row, row)) - spec.radius();
        squares[Math.toIntExact(start / spec.matrixFloats())] += gap * gap;
      }
      for (int k = 0; k < squares.length; k++) {
        double nearest = Math.sqrt(squares[k]);
        assertThat(distance[k]).isCloseTo(nearest, within(1e-6 * nearest));
      }
    }
  }

  @Example
  void oneColumnHasNoTangentSpace() {
    BatchSpec spec = spec(1, 4, 1, 0.5, Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] w = batch.initialize(1).weights();
      for (float element : w) {
        assertThat(Math.abs(element)).isEqualTo(0.5f);
      }
      MatrixReport report = batch.step(gradient(spec, 1, 2), 0.1, ReportDetail.OPTIMUM).get(0);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(report.objective()).isZero();
    }
  }

  @Example
  void aNumberThatIsNotFiniteIsNamed() {
    BatchSpec spec = spec(2, 3, 5, 1, Rule.DEFAULT);
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
      try (TestBatch batch = new TestBatch(engine, spec)) {
        float[] w = batch.initialize(1).weights();
        float[] g = gradient(spec, 1, 1);
        g[15 + 11] = bad;
        assertRefused(batch, g, 1, 11);
        assertThat(batch.weights()).isEqualTo(w);
      }
    }
  }

  private static void assertRefused(TestBatch batch, float[] g, int matrix, long index) {
    assertThatThrownBy(() -> batch.step(g, 0.1, ReportDetail.BASIC))
        .isInstanceOfSatisfying(
            NotFiniteException.class,
            e -> {
              assertThat(e.matrix()).isEqualTo(matrix);
              assertThat(e.index()).isEqualTo(index);
              assertThat(e.value()).isNotEqualTo(0).matches(v -> !Float.isFinite(v));
            });
  }

  @Example
  void aMomentumThatOverflowsIsNamed() {
    for (boolean nesterov : new boolean[] {false, true}) {
      // AdamW's second moment overflows before: AdamWStepProperties.
      for (ManifoldKind manifold : EnumSet.complementOf(EnumSet.of(ManifoldKind.EUCLIDEAN))) {
        BatchSpec spec = new BatchSpec(manifold, 2, 3, 5, 1, withMomentum(0.9, nesterov));
        try (TestBatch batch = new TestBatch(engine, spec)) {
          float[] w = batch.initialize(1).weights();
          float[] g = gradient(spec, 1, 1);
          // Nesterov's sum passes the largest number in this step, the momentum in the next.
          g[15 + 11] = 0.9f * Float.MAX_VALUE;
          if (!nesterov) {
            batch.step(g, 0, ReportDetail.BASIC);
          }
          assertRefused(batch, g, 1, 11);
          assertThat(batch.weights()).isEqualTo(w);
        }
      }
    }
  }
}
