package io.muond.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.v1.AbortStepRequest;
import io.muond.v1.Checkpoint;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.Initial;
import io.muond.v1.Manifold;
import io.muond.v1.Model;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.RowRange;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Second moments, and how long ago they were zero, survive what weights and momentum survive. */
class AdamWStateTest {
  @TempDir Path directory;

  private TestServer server;
  private TestClient client;

  @BeforeEach
  void start() {
    server = new TestServer(Duration.ofSeconds(30), Duration.ofMillis(20), Optional.of(directory));
    client = server.client();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private void restart() {
    stop();
    start();
  }

  /** A bias of 5 under AdamW, and a matrix with a range of 2 x 3 under AdamW and one without. */
  private Model create(String name, Durability durability) {
    CreateModelRequest.Builder request =
        CreateModelRequest.newBuilder().setModel(name).setSeed(7).setDurability(durability);
    request
        .getParametersBuilder()
        .addParameters(
            TestClient.parameter("b", 5).toBuilder()
                .setManifold(Manifold.MANIFOLD_EUCLIDEAN)
                .setInitial(Initial.INITIAL_ONE));
    request
        .getParametersBuilder()
        .addParametersBuilder()
        .setName("w")
        .addShape(6)
        .addShape(3)
        .addRanges(
            RowRange.newBuilder().setName("e").setRows(2).setManifold(Manifold.MANIFOLD_EUCLIDEAN))
        .addRanges(RowRange.newBuilder().setName("s").setRows(4));
    return client.create(request);
  }

  private static Durability onRequest() {
    return Durability.getDefaultInstance();
  }

  private static Durability everyStep() {
    return Durability.newBuilder().setEverySteps(1).build();
  }

  /** Gradients that differ from step to step. */
  private void step(Model model, int step) {
    client.step(model, step, step * step - 5);
  }

  private float[] uninterrupted(int steps) {
    Model model = create("reference", onRequest());
    for (int step = 1; step <= steps; step++) {
      step(model, step);
    }
    return FloatTensors.weights(client, "reference");
  }

  @Test
  void secondMomentsAreDoubleBufferedAndCounted() {
    Model model = create("m", onRequest());
    long elements = 5 + 6;
    assertThat(model.getMemory().getSecondMomentBytes()).isEqualTo(2 * 4 * elements);
    assertThat(model.getMemory().getMomentumBytes()).isEqualTo(4 * elements);
    assertThat(model.getMemory().getTotalBytes()).isEqualTo(4 * (3 * (5 + 18) + 3 * elements));
  }

  @Test
  void aRestoredModelGoesOnAsIfNothingHadHappened() {
    float[] expected = uninterrupted(5);
    Model model = create("m", onRequest());
    step(model, 1);
    step(model, 2);
    Checkpoint checkpoint = client.save("m");
    step(model, 3);
    Model restored = client.restore("m", checkpoint.getCheckpoint());
    for (int step = 3; step <= 5; step++) {
      step(restored, step);
    }
    assertThat(FloatTensors.weights(client, "m")).isEqualTo(expected);
  }

  @Test
  void aRestartGoesOnAsIfNothingHadHappened() {
    float[] expected = uninterrupted(5);
    Model model = create("m", everyStep());
    for (int step = 1; step <= 5; step++) {
      step(model, step);
      restart();
    }
    assertThat(FloatTensors.weights(client, "m")).isEqualTo(expected);
  }

  @Test
  void anAbortedStepCountsForNothing() {
    float[] expected = uninterrupted(4);
    Model model = create("m", onRequest());
    step(model, 1);
    step(model, 2);
    StepHeader header = TestClient.header(model, 3);
    client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header).build());
    StepRequest uncommitted =
        StepRequest.newBuilder()
            .setOpen(header)
            .addAllChunks(TestClient.gradients(model, 99))
            .build();
    assertThat(TestClient.refusal(() -> client.stepMessages(uncommitted)))
        .isEqualTo("INVALID_ARGUMENT/CALL_MALFORMED");
    client.steps().abortStep(AbortStepRequest.newBuilder().setHeader(header).build());
    step(model, 3);
    step(model, 4);
    assertThat(FloatTensors.weights(client, "m")).isEqualTo(expected);
  }

  @Test
  void writtenWeightsBeginMomentsAnew() {
    Model used = create("used", everyStep());
    step(used, 1);
    client.write("used", TestClient.gradients(used, 2));
    restart();
    client.step(client.get("used"), 2, 1);
    client.step(client.get("used"), 3, -1);
    Model fresh = create("fresh", onRequest());
    client.write("fresh", TestClient.gradients(fresh, 2));
    client.step(client.get("fresh"), 1, 1);
    client.step(client.get("fresh"), 2, -1);
    assertThat(FloatTensors.weights(client, "used"))
        .isEqualTo(FloatTensors.weights(client, "fresh"));
  }
}
