package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.safetensors.SafetensorsFile;
import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps computed in float64 with exact decompositions, met by the engine in float32. */
class GoldenStepTest {
  private static final Path DIRECTORY = Path.of("src/test/resources/golden/step");

  private static Engine engine;

  @BeforeAll
  static void open() {
    engine = TestEngines.open(2, 1L << 30);
  }

  @AfterAll
  static void close() {
    TestEngines.close(engine);
  }

  /** One file: a weight, a gradient, and the weight after a step of learning rate 0.1. */
  record Golden(
      String file, int rows, int columns, double optimum, boolean unique, List<float[]> tensors) {
    float[] w() {
      return tensors.get(0);
    }

    float[] g() {
      return tensors.get(1);
    }

    float[] next() {
      return tensors.get(2);
    }

    /** Null where the file has none. */
    float[] nextOfDualAscent() {
      return tensors.get(3);
    }

    @Override
    public String toString() {
      return file;
    }
  }

  static List<Golden> cases() throws IOException {
    JsonArray cases =
        JsonParser.parseString(Files.readString(DIRECTORY.resolve("cases.json"))).getAsJsonArray();
    List<Golden> golden = new ArrayList<>();
    for (JsonElement element : cases) {
      JsonObject c = element.getAsJsonObject();
      assertThat(c.get("learning_rate").getAsDouble()).isEqualTo(0.1);
      String file = c.get("file").getAsString();
      golden.add(
          new Golden(
              file,
              c.get("rows").getAsInt(),
              c.get("columns").getAsInt(),
              c.get("optimum").getAsDouble(),
              c.get("w_next_is_unique").getAsBoolean(),
              tensors(DIRECTORY.resolve(file))));
    }
    assertThat(golden).hasSize(14);
    return golden;
  }

  private static List<float[]> tensors(Path file) throws IOException {
    List<float[]> tensors = new ArrayList<>();
    try (SafetensorsFile in = SafetensorsFile.open(file)) {
      for (String name : List.of("w", "g", "w_next", "w_next_dual_ascent")) {
        float[] values = null;
        if (in.contains(name)) {
          values = new float[Math.toIntExact(in.tensor(name).elements())];
          in.readFloats(name, 0, values);
        }
        tensors.add(values);
      }
    }
    return tensors;
  }

  private record Outcome(List<Float> weights, MatrixReport report) {
    static Outcome of(float[] next, MatrixReport report) {
      List<Float> weights = new ArrayList<>();
      for (float value : next) {
        weights.add(value);
      }
      return new Outcome(weights, report);
    }

    float[] next() {
      float[] next = new float[weights.size()];
      for (int i = 0; i < next.length; i++) {
        next[i] = weights.get(i);
      }
      return next;
    }
  }

  private static Outcome step(Golden c, Rule rule, ReportDetail detail) {
    try (TestBatch batch = new TestBatch(engine, TestBatch.stiefel(c.rows(), c.columns(), rule))) {
      MatrixReport report = batch.weights(c.w()).step(c.g(), 0.1, detail).get(0);
      return Outcome.of(batch.weights(), report);
    }
  }

  private static void assertFeasible(MatrixReport report) {
    assertThat(report.tangencyRms()).isLessThanOrEqualTo(5e-7);
    assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(5e-6);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void twentyStepsOfMsignMeetTheExactStep(Golden c) {
    Outcome outcome = step(c, TestBatch.rule(Solver.EXACT, 20), ReportDetail.RESIDUALS);
    assertFeasible(outcome.report());
    if (c.unique()) {
      assertThat(TestBatch.relativeError(outcome.next(), c.next())).isLessThanOrEqualTo(1e-5);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void theDefaultReachesTheOptimum(Golden c) {
    MatrixReport report = step(c, Rule.DEFAULT, ReportDetail.RESIDUALS).report();
    assertFeasible(report);
    assertThat(report.objective()).isGreaterThanOrEqualTo(0.9995 * c.optimum());
    assertThat(report.objective()).isLessThanOrEqualTo((1 + 1e-5) * c.optimum());
    assertThat(report.iterations()).isEqualTo(8);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void sixStepsOfMsignComeClose(Golden c) {
    MatrixReport report = step(c, TestBatch.rule(Solver.EXACT, 6), ReportDetail.RESIDUALS).report();
    assertFeasible(report);
    assertThat(report.objective()).isGreaterThanOrEqualTo(0.998 * c.optimum());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void theOptimumIsReportedOnlyWhenAskedFor(Golden c) {
    MatrixReport asked = step(c, Rule.DEFAULT, ReportDetail.OPTIMUM).report();
    assertThat(asked.optimum()).isCloseTo(c.optimum(), relative(c.optimum(), 2e-6));
    assertThat(asked.feasibleObjective()).isCloseTo(asked.objective(), relative(c.optimum(), 1e-5));
    MatrixReport notAsked = step(c, Rule.DEFAULT, ReportDetail.BASIC).report();
    assertThat(notAsked.optimum()).isNaN();
    assertThat(notAsked.tangencyRms()).isNaN();
    assertThat(notAsked.objective()).isEqualTo(asked.objective());
  }

  private static org.assertj.core.data.Offset<Double> relative(double value, double tolerance) {
    return org.assertj.core.data.Offset.offset(Math.abs(value) * tolerance);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void dualAscentMeetsItsPublishedForm(Golden c) {
    Outcome outcome = step(c, TestBatch.rule(Solver.DUAL_ASCENT, 8), ReportDetail.RESIDUALS);
    assertThat(outcome.report().orthogonalityMax()).isLessThanOrEqualTo(5e-6);
    if (c.nextOfDualAscent() != null) {
      assertThat(TestBatch.relativeError(outcome.next(), c.nextOfDualAscent()))
          .isLessThanOrEqualTo(1e-3);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void theProjectedDirectionIsFeasibleAndAtLeastNineTenthsOfTheOptimum(Golden c) {
    MatrixReport report =
        step(c, TestBatch.rule(Solver.PROJECTED, 8), ReportDetail.OPTIMUM).report();
    assertFeasible(report);
    assertThat(report.feasibleObjective()).isGreaterThanOrEqualTo(0.9 * c.optimum());
    assertThat(report.objective()).isLessThanOrEqualTo(1.012 * c.optimum());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void admmStaysOnTheManifold(Golden c) {
    MatrixReport report = step(c, TestBatch.rule(Solver.ADMM, 20), ReportDetail.OPTIMUM).report();
    assertThat(report.orthogonalityMax()).isLessThanOrEqualTo(5e-6);
    assertThat(report.feasibleObjective()).isGreaterThanOrEqualTo(0.7 * c.optimum());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void equalInputsGiveEqualBits(Golden c) {
    Outcome first = step(c, Rule.DEFAULT, ReportDetail.RESIDUALS);
    Outcome second = step(c, Rule.DEFAULT, ReportDetail.RESIDUALS);
    assertThat(second).isEqualTo(first);
  }
}
