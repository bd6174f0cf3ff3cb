package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.server.manifold.ManifoldKind;
import java.util.Arrays;
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

/** What holds for a step on rows of mean 0. */
class CenteredStepProperties {
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
            new int[] {1, 1, 3},
            new int[] {1, 1, 1_000},
            new int[] {2, 7, 9},
            new int[] {1, 3, 40},
            new int[] {1, 1, 40_000});
    return Combinators.combine(shapes, Arbitraries.of(1.0, 30.0))
        .as((shape, radius) -> spec(shape[0], shape[1], shape[2], radius));
  }

  private static BatchSpec spec(int count, int rows, int columns, double radius) {
    return new BatchSpec(ManifoldKind.CENTERED_OBLIQUE, count, rows, columns, radius, Rule.DEFAULT);
  }

  private static float[] gradient(BatchSpec spec, double scale, long seed) {
    float[] g = TestBatch.gaussian(Math.toIntExact(spec.floats()), scale, seed);
    for (int i = 0; i < g.length; i++) {
      g[i] += (float) (3 * scale);
    }
    return g;
  }

  private static double[] row(BatchSpec spec, float[] x, int start) {
    int cols = Math.toIntExact(spec.columns());
    return Reference.doubles(Arrays.copyOfRange(x, start, start + cols));
  }

  private static double[] ones(BatchSpec spec) {
    double[] ones = new double[Math.toIntExact(spec.columns())];
    Arrays.fill(ones, 1);
    return ones;
  }

  private static void assertOnManifold(BatchSpec spec, float[] w) {
    double root = Math.sqrt((double) spec.columns());
    for (int start = 0; start < w.length; start += Math.toIntExact(spec.columns())) {
      double[] row = row(spec, w, start);
      assertThat(Reference.norm(row) / spec.radius()).isCloseTo(1, within(1e-6));
      double along = Reference.dot(row, ones(spec)) / root / spec.radius();
      assertThat(along).isCloseTo(0, within(1e-6));
    }
  }

  @Property(tries = 25)
  void stepsAreTheBestAtEveryScale(
      @ForAll("specs") BatchSpec spec,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll @IntRange(min = 1, max = 40) int tenths,
      @ForAll long seed) {
    double eta = tenths / 10.0;
    int cols = Math.toIntExact(spec.columns());
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] w = batch.initialize(seed).weights();
      assertOnManifold(spec, w);
      float[] g = gradient(spec, Math.pow(10, exponent), seed);
      List<MatrixReport> reports = batch.step(g, eta, ReportDetail.OPTIMUM);
      float[] next = batch.weights();
      assertOnManifold(spec, next);
      float[] expected = new float[w.length];
      double[] optimum = new double[spec.count()];
      for (int start = 0; start < w.length; start += cols) {
        double[] u = Reference.scale(1 / spec.radius(), row(spec, w, start));
        double[] p = Reference.satisfying(List.of(u, ones(spec)), row(spec, g, start));
        double[] a = Reference.scale(1 / Reference.norm(p), p);
        optimum[Math.toIntExact(start / spec.matrixFloats())] +=
            Reference.dot(a, row(spec, g, start));
        double[] v = Reference.combine(1, u, -eta, a);
        double[] y = Reference.scale(spec.radius() / Reference.norm(v), v);
        System.arraycopy(Reference.floats(y), 0, expected, start, cols);
      }
      assertThat(TestBatch.relativeError(next, expected)).isLessThanOrEqualTo(4e-6);
      for (int k = 0; k < optimum.length; k++) {
        MatrixReport report = reports.get(k);
        assertThat(report.objective()).isCloseTo(optimum[k], within(1e-5 * optimum[k]));
        assertThat(report.optimum()).isCloseTo(optimum[k], within(1e-5 * optimum[k]));
        assertThat(report.feasibleObjective()).isCloseTo(optimum[k], within(1e-5 * optimum[k]));
        assertThat(report.tangencyRms()).isLessThanOrEqualTo(5e-7);
        assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(2e-6);
      }
    }
  }

  @Property(tries = 10)
  void powersOfTwoChangeNoBitOfTheStep(
      @ForAll("specs") BatchSpec spec, @ForAll @IntRange(min = -90, max = 90) int power) {
    float[] once = stepped(spec, gradient(spec, 1, 5));
    assertThat(stepped(spec, gradient(spec, Math.scalb(1.0, power), 5))).isEqualTo(once);
  }

  private static float[] stepped(BatchSpec spec, float[] g) {
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.initialize(1).step(g, 0.1, ReportDetail.BASIC);
      return batch.weights();
    }
  }

  /** A gradient that is the same everywhere in a row does nothing to it. */
  @Property(tries = 10)
  void rowsWithAConstantGradientStayBitForBit(@ForAll("specs") BatchSpec spec) {
    try (TestBatch batch = new TestBatch(engine, spec)) {
      float[] w = batch.initialize(3).weights();
      float[] g = new float[w.length];
      Arrays.fill(g, 0.1f);
      MatrixReport report = batch.step(g, 0.5, ReportDetail.OPTIMUM).get(0);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(report.objective()).isZero();
      batch.step(gradient(spec, 1, 1), 0, ReportDetail.BASIC);
      assertThat(batch.weights()).isEqualTo(w);
    }
  }

  @Property(tries = 15)
  void projectionsAreTheNearestPoints(
      @ForAll("specs") BatchSpec spec, @ForAll @IntRange(min = -20, max = 18) int exponent) {
    int cols = Math.toIntExact(spec.columns());
    float[] x = gradient(spec, Math.pow(10, exponent), 1);
    // The first row has nothing but a mean.
    Arrays.fill(x, 0, cols, 0.3f);
    double[] squares = new double[spec.count()];
    for (int start = 0; start < x.length; start += cols) {
      double[] row = row(spec, x, start);
      double[] around = Reference.satisfying(List.of(ones(spec)), row);
      double size = start == 0 ? 0 : Reference.norm(around);
      // Of ‖x − y‖² with ‖y‖ = r and ⟨1, y⟩ = 0, the least.
      squares[Math.toIntExact(start / spec.matrixFloats())] +=
          Reference.dot(row, row) + spec.radius() * (spec.radius() - 2 * size);
    }
    try (TestBatch batch = new TestBatch(engine, spec)) {
      double[] distance = batch.project(x);
      assertOnManifold(spec, batch.weights());
      float half = (float) (Math.sqrt(0.5) * spec.radius());
      assertThat(Arrays.copyOf(batch.weights(), 3)).containsExactly(half, -half, 0);
      for (int k = 0; k < squares.length; k++) {
        double nearest = Math.sqrt(squares[k]);
        assertThat(distance[k]).isCloseTo(nearest, within(1e-6 * nearest));
      }
    }
  }

  /** Two elements leave no direction. */
  @Example
  void twoColumnsHaveNoTangentSpace() {
    try (TestBatch batch = new TestBatch(engine, spec(1, 3, 2, 2))) {
      float[] w = batch.initialize(4).weights();
      MatrixReport report =
          batch.step(TestBatch.gaussian(6, 1, 5), 0.4, ReportDetail.OPTIMUM).get(0);
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(report.objective()).isZero();
    }
  }

  /** Ten thousand, but on a device, which may be an emulated one, only with `mvn -Psoak`. */
  @Example
  void stepsDoNotDrift() {
    int steps = !TestEngines.isCuda() || Boolean.getBoolean("muond.test.soak") ? 10_000 : 1_000;
    BatchSpec spec = spec(1, 3, 12, 3);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.initialize(1);
      for (int step = 0; step < steps; step++) {
        batch.step(gradient(spec, 1, step), 0.05, ReportDetail.BASIC);
      }
      assertOnManifold(spec, batch.weights());
    }
  }
}
