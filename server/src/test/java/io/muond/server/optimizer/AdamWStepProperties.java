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
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** AdamW against its definition in float64. */
class AdamWStepProperties {
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
  Arbitrary<AdamW> settings() {
    return Arbitraries.of(AdamW.DEFAULT, new AdamW(0.8, 0.95, 1e-3), new AdamW(0, 0, 1e-6));
  }

  private static BatchSpec spec(int count, int rows, int columns, AdamW adamw, double decay) {
    Rule rule =
        new Rule(
            Solver.EXACT, Precision.FLOAT32, 8, 0, false, 0.01, 1e-6, 4, 100, decay, adamw, false);
    return new BatchSpec(
        ManifoldKind.EUCLIDEAN, NormKind.ADAMW, count, rows, columns, 2, rule, Start.GAUSSIAN);
  }

  /** The weights, moments and steps so far, in float64. */
  private static final class Definition {
    private final BatchSpec spec;
    private final double[] w;
    private final double[] m;
    private final double[] v;
    private int t;

    Definition(BatchSpec spec, float[] weights) {
      this.spec = spec;
      w = Reference.doubles(weights);
      m = new double[w.length];
      v = new double[w.length];
    }

    /** Returns ⟨M, A⟩ of the first matrix. */
    double step(float[] g, double eta) {
      AdamW rule = spec.rule().adamw();
      t++;
      double inner = 0;
      for (int i = 0; i < w.length; i++) {
        m[i] = rule.beta1() * m[i] + (1 - rule.beta1()) * g[i];
        v[i] = rule.beta2() * v[i] + (1 - rule.beta2()) * g[i] * g[i];
        double first = m[i] / (1 - Math.pow(rule.beta1(), t));
        double second = v[i] / (1 - Math.pow(rule.beta2(), t));
        double a = first / (Math.sqrt(second) + rule.epsilon());
        w[i] = (1 - eta * spec.rule().weightDecay()) * w[i] - spec.radius() * eta * a;
        inner += i < spec.matrixFloats() ? m[i] * a : 0;
      }
      return inner;
    }
  }

  /** Long enough that the sequence is recorded and replayed: every step has its own corrections. */
  @Property(tries = 12)
  void fiftyStepsAreThoseOfTheDefinition(
      @ForAll("settings") AdamW adamw, @ForAll boolean decays, @ForAll boolean vector) {
    BatchSpec spec = spec(vector ? 1 : 2, vector ? 1 : 13, vector ? 700 : 7, adamw, decays ? 1 : 0);
    int n = Math.toIntExact(spec.floats());
    try (TestBatch batch = new TestBatch(engine, spec)) {
      Definition definition = new Definition(spec, batch.initialize(1).weights());
      for (int step = 0; step < 50; step++) {
        double eta = 0.01 * (1 + step % 3);
        float[] g = TestBatch.gaussian(n, 1, step);
        MatrixReport report = batch.step(g, eta, ReportDetail.RESIDUALS).get(0);
        double inner = definition.step(g, eta);
        assertThat(report.objective()).isCloseTo(inner, within(1e-5 * inner));
        assertThat(report.tangencyRms()).isZero();
        assertThat(report.orthogonalityMax()).isZero();
      }
      assertThat(TestBatch.relativeError(batch.weights(), Reference.floats(definition.w)))
          .isLessThanOrEqualTo(1e-6);
    }
  }

  /** A gradient that never changes has itself for its moments, however long that goes on. */
  @Example
  void constantGradientsMoveByTheLearningRate() {
    BatchSpec spec = spec(1, 1, 3, AdamW.DEFAULT, 0);
    float[] g = {1e-3f, -70, 3};
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.weights(new float[3]);
      for (int step = 0; step < 300; step++) {
        batch.step(g, 0.01, ReportDetail.BASIC);
      }
      for (int i = 0; i < 3; i++) {
        double expected = -300 * 0.02 * Math.signum(g[i]);
        assertThat((double) batch.weights()[i]).isCloseTo(expected, within(2e-4));
      }
    }
  }

  @Example
  void withoutAGradientWeightsDoNothingButDecay() {
    for (double decay : new double[] {0, 0.5}) {
      BatchSpec spec = spec(2, 3, 5, AdamW.DEFAULT, decay);
      try (TestBatch batch = new TestBatch(engine, spec)) {
        float[] w = batch.initialize(1).weights();
        MatrixReport report = batch.step(new float[30], 0.5, ReportDetail.OPTIMUM).get(0);
        for (int i = 0; i < w.length; i++) {
          w[i] *= (float) (1 - 0.5 * decay);
        }
        assertThat(batch.weights()).isEqualTo(w);
        assertThat(report.objective()).isZero();
      }
    }
  }

  /** The last one is finite, but its square is not. */
  @Example
  void whatMakesAMomentOverflowIsNamed() {
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY, 1e30f}) {
      try (TestBatch batch = new TestBatch(engine, spec(2, 3, 5, AdamW.DEFAULT, 0))) {
        float[] w = batch.initialize(1).weights();
        float[] g = TestBatch.gaussian(30, 1, 1);
        g[15 + 11] = bad;
        assertThatThrownBy(() -> batch.step(g, 0.1, ReportDetail.BASIC))
            .isInstanceOfSatisfying(
                NotFiniteException.class,
                e -> {
                  assertThat(e.matrix()).isEqualTo(1);
                  assertThat(e.index()).isEqualTo(11);
                  assertThat(e.value()).matches(value -> !Float.isFinite(value));
                });
        assertThat(batch.weights()).isEqualTo(w);
      }
    }
  }

  @Example
  void weightsBeginAsTheyAreToldTo() {
    for (Start start : Start.values()) {
      BatchSpec spec =
          new BatchSpec(ManifoldKind.EUCLIDEAN, NormKind.ADAMW, 2, 40, 500, 3, Rule.DEFAULT, start);
      try (TestBatch batch = new TestBatch(engine, spec)) {
        double[] w = Reference.doubles(batch.initialize(1).weights());
        double mean = Arrays.stream(w).average().orElseThrow();
        double square = Reference.dot(w, w) / w.length;
        double deviation = Math.sqrt(1.0 / 500 / w.length);
        switch (start) {
          case ZERO -> assertThat(w).containsOnly(0);
          case ONE -> assertThat(w).containsOnly(1);
          case GAUSSIAN -> {
            assertThat(mean).isCloseTo(0, within(5 * deviation));
            assertThat(500 * square).isCloseTo(1, within(0.05));
          }
        }
      }
    }
  }
}
