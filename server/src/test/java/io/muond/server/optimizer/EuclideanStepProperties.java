package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Precision;
import io.muond.server.engine.TestEngines;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** What holds for steepest descent without a constraint, in each norm. */
class EuclideanStepProperties {
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
  Arbitrary<NormKind> norms() {
    return Arbitraries.of(NormKind.SPECTRAL, NormKind.FROBENIUS, NormKind.LARGEST_ENTRY);
  }

  @Provide
  Arbitrary<int[]> shapes() {
    return Arbitraries.of(
        new int[] {1, 1},
        new int[] {1, 700},
        new int[] {9, 4},
        new int[] {4, 9},
        new int[] {12, 12},
        new int[] {40, 17});
  }

  static Rule rule(double momentum, boolean nesterov, double weightDecay) {
    return new Rule(
        Solver.EXACT,
        Precision.FLOAT32,
        8,
        momentum,
        nesterov,
        0.01,
        1e-6,
        4,
        100,
        weightDecay,
        AdamW.DEFAULT,
        false);
  }

  private static BatchSpec spec(NormKind norm, int count, int[] shape, double radius, Rule rule) {
    return new BatchSpec(
        ManifoldKind.EUCLIDEAN, norm, count, shape[0], shape[1], radius, rule, Start.GAUSSIAN);
  }

  private static float[] gradient(int[] shape, double scale, long seed) {
    return TestBatch.gaussian(shape[0] * shape[1], scale, seed);
  }

  @Property(tries = 20)
  void gradientsOfLowRankAreSteppedAlong(@ForAll("shapes") int[] shape, @ForAll long seed) {
    float[] g = Reference.rankOne(shape[0], shape[1], seed);
    double[] a = direction(NormKind.SPECTRAL, shape, g);
    double[] expected =
        Reference.scale(1 / Reference.norm(Reference.doubles(g)), Reference.doubles(g));
    assertThat(Reference.norm(Reference.combine(1, a, -1, expected))).isLessThanOrEqualTo(1e-3);
  }

  /** A of one matrix: what a step of 1 from 0 is the negative of. */
  private static double[] direction(NormKind norm, int[] shape, float[] g) {
    try (TestBatch batch = new TestBatch(engine, spec(norm, 1, shape, 1, Rule.DEFAULT))) {
      batch.weights(new float[g.length]).step(g, 1, ReportDetail.BASIC);
      return Reference.scale(-1, Reference.doubles(batch.weights()));
    }
  }

  private static double size(NormKind norm, int[] shape, double[] a) {
    return switch (norm) {
      case SPECTRAL -> Reference.singularValues(shape[0], shape[1], a)[0];
      case FROBENIUS -> Reference.norm(a);
      default -> Arrays.stream(a).map(Math::abs).max().orElseThrow();
    };
  }

  /** The dual norm of a gradient: the largest inner product with a direction of norm 1. */
  private static double optimum(NormKind norm, int[] shape, double[] g) {
    return switch (norm) {
      case SPECTRAL -> Arrays.stream(Reference.singularValues(shape[0], shape[1], g)).sum();
      case FROBENIUS -> Reference.norm(g);
      default -> Arrays.stream(g).map(Math::abs).sum();
    };
  }

  @Property(tries = 40)
  void directionsAreFeasibleAndOptimalAtEveryScale(
      @ForAll("norms") NormKind norm,
      @ForAll("shapes") int[] shape,
      @ForAll @IntRange(min = -30, max = 30) int exponent,
      @ForAll long seed) {
    float[] g = gradient(shape, Math.pow(10, exponent), seed);
    double[] a = direction(norm, shape, g);
    boolean approximate = norm == NormKind.SPECTRAL;
    assertThat(size(norm, shape, a)).isLessThanOrEqualTo(approximate ? 1.01 : 1 + 1e-5);
    double best = optimum(norm, shape, Reference.doubles(g));
    double inner = Reference.dot(a, Reference.doubles(g));
    assertThat(inner).isGreaterThanOrEqualTo((approximate ? 0.999 : 1 - 1e-5) * best);
    try (TestBatch batch = new TestBatch(engine, spec(norm, 1, shape, 1, Rule.DEFAULT))) {
      MatrixReport report = batch.initialize(seed).step(g, 0.1, ReportDetail.OPTIMUM).get(0);
      assertThat(report.objective()).isCloseTo(inner, within(1e-5 * best));
      assertThat(report.optimum()).isCloseTo(best, within(1e-5 * best));
      assertThat(report.feasibleObjective()).isLessThanOrEqualTo((1 + 1e-5) * best);
      assertThat(report.tangencyRms()).isZero();
      assertThat(report.orthogonalityMax()).isZero();
    }
  }

  @Property(tries = 20)
  void powersOfTwoChangeNoBitOfTheDirection(
      @ForAll("norms") NormKind norm,
      @ForAll("shapes") int[] shape,
      @ForAll @IntRange(min = -90, max = 90) int power) {
    double[] once = direction(norm, shape, gradient(shape, 1, 3));
    double[] scaled = direction(norm, shape, gradient(shape, Math.scalb(1.0, power), 3));
    assertThat(scaled).isEqualTo(once);
  }

  /** Matrices of a batch, each with its own gradient and learning rate. */
  @Property(tries = 30)
  void stepsDecayAndDescend(
      @ForAll("norms") NormKind norm, @ForAll("shapes") int[] shape, @ForAll boolean decays) {
    int n = shape[0] * shape[1];
    double lambda = decays ? 0.3 : 0;
    double radius = 2.5;
    double[] rates = {0.1, 0, 3};
    try (TestBatch batch =
        new TestBatch(engine, spec(norm, 3, shape, radius, rule(0, false, lambda)))) {
      float[] w = batch.initialize(1).weights();
      float[] g = TestBatch.gaussian(3 * n, 1, 2);
      List<MatrixReport> reports = batch.step(g, rates, ReportDetail.BASIC);
      float[] next = batch.weights();
      for (int k = 0; k < 3; k++) {
        double[] from = Reference.doubles(Arrays.copyOfRange(w, k * n, (k + 1) * n));
        double[] a = direction(norm, shape, Arrays.copyOfRange(g, k * n, (k + 1) * n));
        double[] expected = Reference.combine(1 - rates[k] * lambda, from, -radius * rates[k], a);
        float[] found = Arrays.copyOfRange(next, k * n, (k + 1) * n);
        assertThat(TestBatch.relativeError(found, Reference.floats(expected)))
            .isLessThanOrEqualTo(4e-6);
        double moved = Reference.norm(Reference.combine(1, expected, -1, from));
        assertThat(reports.get(k).updateNorm()).isCloseTo(moved, within(1e-5 * (1 + moved)));
      }
    }
  }

  @Property(tries = 15)
  void withoutAGradientWeightsDoNothingButDecay(
      @ForAll("norms") NormKind norm, @ForAll("shapes") int[] shape, @ForAll boolean decays) {
    double lambda = decays ? 0.5 : 0;
    try (TestBatch batch =
        new TestBatch(engine, spec(norm, 1, shape, 1.5, rule(0, false, lambda)))) {
      float[] w = batch.initialize(1).weights();
      MatrixReport report = batch.step(new float[w.length], 0.5, ReportDetail.OPTIMUM).get(0);
      for (int i = 0; i < w.length; i++) {
        w[i] *= (float) (1 - 0.5 * lambda);
      }
      assertThat(batch.weights()).isEqualTo(w);
      assertThat(report.objective()).isZero();
      assertThat(report.optimum()).isZero();
    }
  }

  @Property(tries = 15)
  void momentumStepsTakeTheRunningSum(
      @ForAll("norms") NormKind norm, @ForAll("shapes") int[] shape, @ForAll boolean nesterov) {
    double beta = 0.9;
    try (TestBatch batch =
        new TestBatch(engine, spec(norm, 1, shape, 1, rule(beta, nesterov, 0)))) {
      double[] w = Reference.doubles(batch.initialize(3).weights());
      float[] running = new float[w.length];
      for (int step = 0; step < 3; step++) {
        float[] g = gradient(shape, 1, step);
        float[] taken = new float[g.length];
        for (int i = 0; i < g.length; i++) {
          running[i] = (float) (beta * running[i] + g[i]);
          taken[i] = nesterov ? (float) (g[i] + beta * running[i]) : running[i];
        }
        batch.step(g, 0.05, ReportDetail.BASIC);
        w = Reference.combine(1, w, -0.05, direction(norm, shape, taken));
      }
      assertThat(TestBatch.relativeError(batch.weights(), Reference.floats(w)))
          .isLessThanOrEqualTo(1e-5);
    }
  }

  @Property(tries = 10)
  void everyMatrixIsAPoint(@ForAll("norms") NormKind norm, @ForAll("shapes") int[] shape) {
    float[] x = gradient(shape, 1e20, 4);
    try (TestBatch batch = new TestBatch(engine, spec(norm, 1, shape, 1, Rule.DEFAULT))) {
      assertThat(batch.project(x)).containsExactly(0);
      assertThat(batch.weights()).isEqualTo(x);
    }
  }

  @Property
  void aNumberThatIsNotFiniteIsNamed(@ForAll ReportDetail detail) {
    for (NormKind norm : List.of(NormKind.SPECTRAL, NormKind.FROBENIUS, NormKind.LARGEST_ENTRY)) {
      try (TestBatch batch =
          new TestBatch(engine, spec(norm, 2, new int[] {3, 5}, 1, rule(0.9, true, 0)))) {
        float[] w = batch.initialize(1).weights();
        float[] g = TestBatch.gaussian(30, 1, 1);
        g[15 + 11] = Float.NaN;
        assertThatThrownBy(() -> batch.step(g, 0.1, detail))
            .isInstanceOfSatisfying(
                NotFiniteException.class,
                e -> {
                  assertThat(e.matrix()).isEqualTo(1);
                  assertThat(e.index()).isEqualTo(11);
                });
        assertThat(batch.weights()).isEqualTo(w);
      }
    }
  }
}
