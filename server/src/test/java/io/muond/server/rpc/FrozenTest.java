package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterReport;
import io.muond.v1.RowRange;
import io.muond.v1.Rule;
import io.muond.v1.StepReport;
import io.muond.v1.TensorChunk;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is frozen stays, bit for bit, and asks for nothing. */
class FrozenTest {
  private TestServer server;
  private TestClient client;
  private Model model;

  @BeforeEach
  void start() {
    server = new TestServer();
    client = server.client();
    CreateModelRequest.Builder request =
        CreateModelRequest.newBuilder()
            .setModel("m")
            .setSeed(3)
            .setDefaultRule(Rule.newBuilder().setMomentum(0.5));
    Rule frozen = Rule.newBuilder().setFrozen(true).build();
    request
        .getParametersBuilder()
        .addParameters(TestClient.parameter("w", 2, 3))
        .addParameters(
            TestClient.parameter("f", 4, 3).toBuilder().setRule(frozen).setGroup("frozen"));
    request
        .getParametersBuilder()
        .addParametersBuilder()
        .setName("half")
        .addShape(5)
        .addShape(3)
        .addRanges(RowRange.newBuilder().setName("still").setRows(2).setRule(frozen))
        .addRanges(RowRange.newBuilder().setName("moving").setRows(3));
    model = client.create(request);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private List<TensorChunk> gradients() {
    return List.of(ones(model.getParameters(0)), ones(model.getParameters(2)));
  }

  private static TensorChunk ones(Parameter parameter) {
    return TestClient.chunks(parameter, 1).get(0);
  }

  private StepReport step(Model of, int step) {
    return client.step(whole(header(of, step), gradients(), options()));
  }

  /** Elements [6, 24) are frozen: f, and the first two rows of half. */
  private float[] still() {
    return Arrays.copyOfRange(FloatTensors.weights(client, "m"), 6, 24);
  }

  private float[] moving() {
    float[] all = FloatTensors.weights(client, "m");
    return FloatTensors.concat(Arrays.copyOfRange(all, 0, 6), Arrays.copyOfRange(all, 24, 33));
  }

  @Test
  void aStepIsCompleteWithoutItAndLeavesItBitForBit() {
    float[] still = still();
    for (int step = 1; step <= 3; step++) {
      float[] moving = moving();
      StepReport report = step(model, step);
      assertThat(still()).isEqualTo(still);
      assertThat(moving()).doesNotContain(moving);
      assertThat(report.getParametersList())
          .extracting(ParameterReport::getName)
          .containsExactly("w", "f", "half[still]", "half[moving]");
      assertThat(report.getParameters(1).getLearningRate()).isZero();
      assertThat(report.getParameters(1).getUpdateNorm()).isZero();
    }
  }

  @Test
  void aGradientForItIsRefused() {
    List<TensorChunk> chunks = List.of(ones(model.getParameters(1)));
    Throwable failure =
        catchThrowable(() -> client.step(whole(header(model, 1), chunks, options())));
    assertThat(info(failure).getReason()).isEqualTo("FROZEN_PARAMETER");
    assertThat(info(failure).getMetadataMap()).containsEntry("parameter", "f");
    assertThat(failure).hasMessageStartingWith("INVALID_ARGUMENT: parameter \"f\" is frozen");
    step(model, 1);
  }

  /** But f needs one for uploads; gradients of half come whole. */
  @Test
  void gradientSlotsOfSeveralWorkersAreForWhatMoves() {
    CreateModelRequest.Builder request =
        CreateModelRequest.newBuilder()
            .setModel("several")
            .setSeed(1)
            .addAllWorkers(List.of("a", "b", "c"));
    request.getParametersBuilder().addAllParameters(model.getParametersList());
    Model several = client.create(request);
    assertThat(several.getMemory().getGradientBytes()).isEqualTo(4 * (3 * (6 + 15) + 12));
  }

  @Test
  void itHasNoMomentumAndAsksForNoRate() {
    // w, and the moving rows of half.
    assertThat(model.getMemory().getMomentumBytes()).isEqualTo(4 * (6 + 9));
    CommitOptions others = CommitOptions.newBuilder().putGroupLearningRates("", 0.5).build();
    StepReport report = client.step(whole(header(model, 1), gradients(), others));
    assertThat(report.getParameters(3).getLearningRate()).isEqualTo(0.5);
  }

  @Test
  void itIsWrittenAsOthersAre() {
    client.write("m", TestClient.gradients(model, 7));
    float[] still = still();
    assertThat(still).containsOnly(7);
    Model written = client.get("m");
    step(written, 1);
    step(written, 2);
    assertThat(still()).isEqualTo(still);
    assertThat(moving()).doesNotContain(7);
  }
}
