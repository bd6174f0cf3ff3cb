package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Precision;
import io.muond.server.engine.TestEngines;
import io.muond.server.manifold.ManifoldKind;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Frozen weights, wherever they live. */
class FrozenStepTest {
  private static Engine engine;

  @BeforeAll
  static void open() {
    engine = TestEngines.open(2, 1L << 28);
  }

  @AfterAll
  static void close() {
    TestEngines.close(engine);
  }

  private static Rule frozen() {
    return new Rule(
        Solver.EXACT,
        Precision.FLOAT32,
        8,
        0.9,
        true,
        0.01,
        1e-6,
        4,
        100,
        0.1,
        AdamW.DEFAULT,
        true);
  }

  @ParameterizedTest
  @EnumSource(ManifoldKind.class)
  void stayBitForBit(ManifoldKind manifold) {
    BatchSpec spec = new BatchSpec(manifold, 2, 6, 4, 1.5, frozen());
    BatchSpec moving = new BatchSpec(manifold, 2, 6, 4, 1.5, Rule.DEFAULT);
    try (TestBatch batch = new TestBatch(engine, spec);
        TestBatch other = new TestBatch(engine, moving)) {
      float[] w = batch.initialize(1).weights();
      // They begin, and are written, as if they moved.
      assertThat(w).isEqualTo(other.initialize(1).weights());
      for (int step = 0; step < 4; step++) {
        for (MatrixReport report : batch.step(null, 0.1, ReportDetail.RESIDUALS)) {
          assertThat(report).isEqualTo(new MatrixReport(0, 0, 0, 0, 0, 0, 0, 0));
        }
        assertThat(batch.weights()).isEqualTo(w);
      }
      float[] x = TestBatch.gaussian(48, 3, 2);
      assertThat(batch.project(x)).isEqualTo(other.project(x));
      assertThat(batch.weights()).isEqualTo(other.weights());
    }
  }
}
