package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.server.engine.Precision;
import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StepCostTest {
  private static BatchSpec spec(ManifoldKind manifold, Solver solver, int rows, int columns) {
    Rule rule = new Rule(solver, Precision.FLOAT32, 8, 0, false, 0.01, 1e-6, 4, 10);
    return new BatchSpec(manifold, 1, rows, columns, 1, rule);
  }

  /** Products dominate from a few hundred columns on. */
  @ParameterizedTest
  @CsvSource({
    "EXACT, 512, 512",
    "EXACT, 640, 512",
    "EXACT, 256, 1536",
    "EXACT, 1536, 256",
    "PROJECTED, 512, 512",
    "PROJECTED, 1024, 256",
    "DUAL_ASCENT, 768, 192",
    "ADMM, 384, 384",
    "ADMM, 768, 192",
  })
  void isWhatAStepReports(Solver solver, int rows, int columns) {
    BatchSpec spec = spec(ManifoldKind.STIEFEL, solver, rows, columns);
    try (CpuEngine engine = new CpuEngine(2, 1L << 30);
        TestBatch batch = new TestBatch(engine, spec)) {
      batch.initialize(1);
      float[] g = TestBatch.gaussian(rows * columns, 1, 2);
      double took = batch.step(g, 0.1, ReportDetail.RESIDUALS).get(0).flops();
      double elementwise = StepCost.of(spec(ManifoldKind.OBLIQUE, solver, rows, columns));
      assertThat((StepCost.of(spec) - elementwise) / took).isBetween(0.95, 1.05);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "STIEFEL, FROBENIUS, 512, 512",
    "STIEFEL, FROBENIUS, 300, 900",
    "EUCLIDEAN, SPECTRAL, 600, 200",
    "SPECTRAL_BALL, SPECTRAL, 256, 512",
  })
  void isWhatAStepOfAnyPairReports(ManifoldKind manifold, NormKind norm, int rows, int columns) {
    BatchSpec spec =
        new BatchSpec(manifold, norm, 1, rows, columns, 1, Rule.DEFAULT, Start.GAUSSIAN);
    try (CpuEngine engine = new CpuEngine(2, 1L << 30);
        TestBatch batch = new TestBatch(engine, spec)) {
      float[] g = TestBatch.gaussian(rows * columns, 1, 2);
      double took = batch.initialize(1).step(g, 0.1, ReportDetail.RESIDUALS).get(0).flops();
      double elementwise = StepCost.of(spec(ManifoldKind.OBLIQUE, Solver.EXACT, rows, columns));
      assertThat((StepCost.of(spec) - elementwise) / took).isBetween(0.95, 1.05);
    }
  }

  @Test
  void growsWithTheNumberOfMatrices() {
    BatchSpec one = spec(ManifoldKind.STIEFEL, Solver.EXACT, 64, 64);
    BatchSpec three =
        new BatchSpec(one.manifold(), 3, one.rows(), one.columns(), one.radius(), one.rule());
    assertThat(StepCost.of(three)).isEqualTo(3 * StepCost.of(one));
  }
}
