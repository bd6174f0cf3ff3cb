package io.muond.quickstart.gpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.muond.client.MuondClient;
import io.muond.modular.Planner;
import io.muond.quickstart.Daemon;
import io.muond.v1.Schedule;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A small network trained for a few steps on a server in another process. */
class ServerTrainingTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final String JAR = System.getProperty("muond.server.jar");
  private static final int STEPS = 40;
  private static final Text TEXT =
      Text.of("to be, or not to be: that is the question. ".repeat(60));
  private static final GptShape SHAPE =
      new GptShape(TEXT.vocabulary(), 16, 2, 2, 12, GptShape.Stretches.CONSTRAINED);
  private static final double GUARANTEED = Norms.lipschitzBound(SHAPE, Norms.onManifolds(SHAPE));

  private static Daemon daemon;
  private static MuondClient client;

  @BeforeAll
  static void start() throws IOException, InterruptedException {
    assumeTrue(JAR != null, "the server's jar is not named: mvn verify does");
    daemon = Daemon.start(Path.of(JAR), PATIENCE);
    client = MuondClient.connect(daemon.address());
  }

  @AfterAll
  static void stop() throws IOException, InterruptedException {
    if (daemon != null) {
      client.close();
      daemon.stop(PATIENCE);
      daemon.close();
    }
  }

  private static Schedule schedule(double rate) {
    return Schedule.newBuilder()
        .setLearningRate(rate)
        .setWarmupSteps(2)
        .setShape(Schedule.Shape.SHAPE_LINEAR)
        .setTotalSteps(STEPS)
        .build();
  }

  private static Run train(double rate, ServerWeights weights) {
    return new Trainer(TEXT, SHAPE, 4, STEPS, 1)
        .run(rate, weights, (step, loss) -> assertThat(loss).isFinite());
  }

  private static void assertLearned(Run run) {
    List<Double> losses = run.training();
    assertThat(losses).hasSize(STEPS);
    assertThat(losses.get(STEPS - 1)).isLessThan(0.7 * losses.get(0));
    assertThat(run.validation()).isCloseTo(losses.get(STEPS - 1), within(0.3));
  }

  @Test
  void theTreesParametersAreTheNetworksWeights() {
    Map<String, List<Long>> shapes = new TreeMap<>();
    Planner.parameters(GptTree.of(SHAPE, Norms.onManifolds(SHAPE)))
        .forEach(p -> shapes.put(p.getName(), p.getShapeList()));
    assertThat(shapes.keySet()).isEqualTo(new TreeMap<>(SHAPE.weights()).keySet());
    SHAPE
        .weights()
        .forEach(
            (name, w) -> {
              long elements = shapes.get(name).stream().reduce(1L, (a, b) -> a * b);
              assertThat(elements).isEqualTo((long) w.rows() * w.columns());
            });
  }

  @Test
  void onManifoldsItLearnsAndStaysThere() {
    Run run;
    try (ServerWeights weights = ServerWeights.onManifolds(client, SHAPE, schedule(0.5), 1)) {
      run = train(0.5, weights);
    }
    assertLearned(run);
    assertThat(GptPlot.singularValues(SHAPE, run.weights()))
        .allSatisfy(value -> assertThat(value).isCloseTo(1, within(1e-5)));
    assertThat(Norms.lipschitzBound(SHAPE, Norms.measured(SHAPE, run.weights())))
        .isCloseTo(GUARANTEED, within(1e-4 * GUARANTEED));
  }

  @Test
  void underAdamWItLearnsFromTheSameStart() {
    Map<String, Mat> start = ServerWeights.drawn(client, SHAPE, 1);
    Run run;
    try (ServerWeights weights = ServerWeights.underAdamW(client, SHAPE, start, schedule(0.01))) {
      weights
          .weights()
          .forEach((name, w) -> assertThat(w.values()).isEqualTo(start.get(name).values()));
      run = train(0.01, weights);
    }
    assertLearned(run);
    assertThat(Norms.lipschitzBound(SHAPE, Norms.measured(SHAPE, run.weights())))
        .isGreaterThan(1.1 * GUARANTEED);
  }
}
