package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.server.engine.Precision;
import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What an engine cannot run is refused when its program is made. */
class MuonOptimizerTest {
  @ParameterizedTest
  @EnumSource(
      value = Precision.class,
      names = {"TF32", "FLOAT16", "BFLOAT16"})
  void aPrecisionThatTheEngineLacksIsRefused(Precision precision) {
    Rule rule = new Rule(Solver.EXACT, precision, 8, 0, false, 0.01, 1e-6, 4, 100);
    try (CpuEngine cpu = new CpuEngine(1, 1L << 20)) {
      Optimizer optimizer = new MuonOptimizer(cpu);
      assertThatThrownBy(() -> optimizer.program(TestBatch.stiefel(4, 4, rule)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(precision.toString());
    }
  }

  @Test
  void aMomentumBelowOneForgets() {
    Rule rule = new Rule(Solver.EXACT, Precision.FLOAT32, 8, 0.99999999, false, 0, 0, 0, 0);
    assertThat((float) rule.momentum()).isLessThan(1).isGreaterThan(0.9999999f);
  }

  @ParameterizedTest
  @CsvSource({
    "STIEFEL, LARGEST_ROW, 4",
    "OBLIQUE, SPECTRAL, 4",
    "CENTERED_OBLIQUE, FROBENIUS, 4",
    "CENTERED_OBLIQUE, LARGEST_ROW, 1",
    "SPECTRAL_BALL, ADAMW, 4",
    "EUCLIDEAN, LARGEST_ROW, 4",
  })
  void aPairThatThereIsNotIsRefused(ManifoldKind manifold, NormKind norm, int columns) {
    BatchSpec spec = new BatchSpec(manifold, norm, 1, 4, columns, 1, Rule.DEFAULT, Start.GAUSSIAN);
    try (CpuEngine cpu = new CpuEngine(1, 1L << 20)) {
      Optimizer optimizer = new MuonOptimizer(cpu);
      assertThatThrownBy(() -> optimizer.program(spec))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("on " + manifold);
    }
  }
}
