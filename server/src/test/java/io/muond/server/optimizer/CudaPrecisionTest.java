package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Precision;
import io.muond.server.engine.TestEngines;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps whose msign runs on tensor cores: they may lose a little objective, and nothing else. */
class CudaPrecisionTest {
  private static final List<Precision> LOWER =
      List.of(Precision.TF32, Precision.FLOAT16, Precision.BFLOAT16);

  private static Engine engine;

  @BeforeAll
  static void open() {
    assumeTrue(TestEngines.isCuda(), "-Dmuond.test.engine=cuda");
    engine = TestEngines.open(2, 0);
  }

  @AfterAll
  static void close() {
    if (engine != null) {
      TestEngines.close(engine);
    }
  }

  static Stream<Arguments> goldenSteps() throws IOException {
    List<Arguments> all = new ArrayList<>();
    for (GoldenStepTest.Golden c : GoldenStepTest.cases()) {
      LOWER.forEach(precision -> all.add(Arguments.of(precision, c)));
    }
    return all.stream();
  }

  private static Rule rule(Solver solver, Precision precision) {
    int iterations = solver == Solver.ADMM ? 5 : 10;
    return new Rule(solver, precision, 8, 0, false, 0.01, 1e-6, 4, iterations);
  }

  private static MatrixReport step(GoldenStepTest.Golden c, Rule rule) {
    BatchSpec spec = TestBatch.stiefel(c.rows(), c.columns(), rule);
    try (TestBatch batch = new TestBatch(engine, spec)) {
      return batch.weights(c.w()).step(c.g(), 0.1, ReportDetail.OPTIMUM).get(0);
    }
  }

  private static void assertOnTheManifold(MatrixReport report) {
    assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(5e-6);
    assertThat(report.tangencyRms()).isLessThanOrEqualTo(5e-7);
  }

  @ParameterizedTest
  @MethodSource("goldenSteps")
  void keepsNinetyNinePercentOfTheOptimum(Precision precision, GoldenStepTest.Golden c) {
    MatrixReport report = step(c, rule(Solver.EXACT, precision));
    assertOnTheManifold(report);
    assertThat(report.objective()).isGreaterThanOrEqualTo(0.99 * c.optimum());
    // The feasible objective is what is left after a division by ‖A‖, where that passes 1.
    assertThat(report.objective()).isLessThanOrEqualTo(1.01 * report.feasibleObjective());
  }

  @ParameterizedTest
  @MethodSource("goldenSteps")
  void projectedDirectionsStayTangent(Precision precision, GoldenStepTest.Golden c) {
    MatrixReport report = step(c, rule(Solver.PROJECTED, precision));
    assertOnTheManifold(report);
    assertThat(report.feasibleObjective()).isGreaterThanOrEqualTo(0.89 * c.optimum());
  }

  @ParameterizedTest
  @EnumSource(
      value = Precision.class,
      names = {"TF32", "FLOAT16", "BFLOAT16"})
  void theOtherSolversStayOnTheManifold(Precision precision) throws IOException {
    for (GoldenStepTest.Golden c : GoldenStepTest.cases().subList(0, 4)) {
      for (Solver solver : List.of(Solver.DUAL_ASCENT, Solver.ADMM)) {
        MatrixReport report = step(c, rule(solver, precision));
        assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(5e-6);
        assertThat(report.feasibleObjective()).isGreaterThanOrEqualTo(0.7 * c.optimum());
      }
    }
  }

  private static BatchSpec spectral(ManifoldKind manifold, int[] shape, Precision precision) {
    Rule rule = rule(Solver.EXACT, precision);
    return new BatchSpec(
        manifold, NormKind.SPECTRAL, 1, shape[0], shape[1], 1, rule, Start.GAUSSIAN);
  }

  /** Plain Muon from 0: the step is the direction. */
  @ParameterizedTest
  @EnumSource(
      value = Precision.class,
      names = {"TF32", "FLOAT16", "BFLOAT16"})
  void directionsWithoutAConstraintAreNearlyTheBest(Precision precision) {
    for (int[] shape : new int[][] {{48, 30}, {30, 48}, {40, 40}, {90, 20}}) {
      float[] g = TestBatch.gaussian(shape[0] * shape[1], 1, 3);
      BatchSpec spec = spectral(ManifoldKind.EUCLIDEAN, shape, precision);
      try (TestBatch batch = new TestBatch(engine, spec)) {
        MatrixReport report =
            batch.weights(new float[g.length]).step(g, 1, ReportDetail.OPTIMUM).get(0);
        assertThat(report.objective()).isGreaterThanOrEqualTo(0.99 * report.optimum());
        double size = Reference.singularValues(shape[0], shape[1], batch.weights())[0];
        assertThat(size).isLessThanOrEqualTo(1.01);
      }
    }
  }

  /** The cap is in float32 whatever msign's precision. */
  @ParameterizedTest
  @EnumSource(
      value = Precision.class,
      names = {"TF32", "FLOAT16", "BFLOAT16"})
  void stepsStayInTheSpectralBall(Precision precision) {
    for (int[] shape : new int[][] {{48, 30}, {30, 48}, {40, 40}}) {
      BatchSpec spec = spectral(ManifoldKind.SPECTRAL_BALL, shape, precision);
      try (TestBatch batch = new TestBatch(engine, spec)) {
        batch.initialize(1);
        for (int step = 0; step < 3; step++) {
          float[] g = TestBatch.gaussian(shape[0] * shape[1], 1, step);
          MatrixReport report = batch.step(g, 0.5, ReportDetail.OPTIMUM).get(0);
          assertThat(report.objective()).isGreaterThanOrEqualTo(0.99 * report.optimum());
          double size = Reference.singularValues(shape[0], shape[1], batch.weights())[0];
          assertThat(size).isLessThanOrEqualTo(1 + 1e-6);
        }
      }
    }
  }

  private static float[] steps(BatchSpec spec, int steps, double learningRate, float scale) {
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.initialize(5);
      for (int i = 0; i < steps; i++) {
        float[] g = TestBatch.gaussian(Math.toIntExact(spec.floats()), scale, i);
        batch
            .step(g, learningRate, ReportDetail.RESIDUALS)
            .forEach(CudaPrecisionTest::assertOnTheManifold);
      }
      return batch.weights();
    }
  }

  private static BatchSpec batch(Precision precision, int rows, int columns) {
    Rule rule = new Rule(Solver.EXACT, precision, 8, 0.9, true, 0.01, 1e-6, 4, 100);
    return new BatchSpec(ManifoldKind.STIEFEL, 3, rows, columns, 1.5, rule);
  }

  @ParameterizedTest
  @EnumSource(
      value = Precision.class,
      names = {"TF32", "FLOAT16", "BFLOAT16"})
  void batchesOfEveryShapeDoNotDrift(Precision precision) {
    int[][] shapes = {{1, 1}, {9, 1}, {1, 9}, {33, 33}, {48, 30}, {30, 48}, {90, 20}, {17, 70}};
    for (int[] shape : shapes) {
      steps(batch(precision, shape[0], shape[1]), 6, 0.3, 1);
    }
    steps(batch(precision, 40, 16), 60, 0.1, 1);
    steps(batch(precision, 24, 24), 3, 6, 1);
    // More than a panel, so that the basis is made by inverses of several blocks.
    steps(batch(precision, 330, 150), 2, 0.1, 1);
  }

  /** The scale of the gradient does not reach the halves, whose range is small. */
  @ParameterizedTest
  @EnumSource(
      value = Precision.class,
      names = {"FLOAT16", "BFLOAT16"})
  void gradientsOfAnyScaleGiveTheSameBits(Precision precision) {
    for (int[] shape : new int[][] {{40, 40}, {50, 32}, {100, 24}}) {
      BatchSpec spec = batch(precision, shape[0], shape[1]);
      float[] plain = steps(spec, 3, 0.1, 1);
      assertThat(steps(spec, 3, 0.1, 0x1p-90f)).isEqualTo(plain);
      assertThat(steps(spec, 3, 0.1, 0x1p90f)).isEqualTo(plain);
    }
  }

  @Test
  void replaysGiveTheBitsOfTheFirstRun() {
    for (Precision precision : LOWER) {
      BatchSpec spec = batch(precision, 130, 60);
      assertThat(steps(spec, 5, 0.1, 1)).isEqualTo(steps(spec, 5, 0.1, 1));
    }
  }
}
