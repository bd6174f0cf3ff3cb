package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.Model;
import io.muond.v1.Schedule;
import io.muond.v1.Schedule.Shape;
import io.muond.v1.StepReport;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Steps whose commits send no learning rate. */
class ScheduledStepsTest {
  private static final CommitOptions NO_RATE = CommitOptions.getDefaultInstance();

  private static final Schedule LINEAR =
      Schedule.newBuilder()
          .setLearningRate(1)
          .setShape(Shape.SHAPE_LINEAR)
          .setTotalSteps(4)
          .build();

  private static final Schedule WARM =
      Schedule.newBuilder().setLearningRate(0.5).setWarmupSteps(4).build();

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

  private static CreateModelRequest.Builder scheduled(String name) {
    return small(name).setSchedule(LINEAR).putGroupSchedules("v", WARM);
  }

  private StepReport step(Model model, int step, CommitOptions options) {
    return client.step(whole(header(model, step), gradients(model, step), options));
  }

  private static void assertRates(StepReport report, double w, double v) {
    assertThat(report.getParameters(0).getLearningRate()).isEqualTo(w);
    assertThat(report.getParameters(1).getLearningRate()).isEqualTo(v);
  }

  @Test
  void aModelTellsItsSchedulesWithTheirDefaults() {
    Model model = client.create(scheduled("m"));
    assertThat(model.getSchedule()).isEqualTo(LINEAR.toBuilder().setFinalFraction(0).build());
    assertThat(model.getGroupSchedulesMap())
        .containsOnlyKeys("v")
        .containsEntry("v", WARM.toBuilder().setShape(Shape.SHAPE_CONSTANT).build());
    assertThat(client.create(small("n")).hasSchedule()).isFalse();
  }

  @Test
  void whatTheCommitSaysGoesBeforeTheSchedules() {
    Model model = client.create(scheduled("m"));
    assertRates(step(model, 1, NO_RATE), 0.75, 0.125);
    assertRates(step(model, 2, CommitOptions.newBuilder().setLearningRate(0.1).build()), 0.1, 0.1);
    CommitOptions group = CommitOptions.newBuilder().putGroupLearningRates("v", 0.2).build();
    assertRates(step(model, 3, group), 0.25, 0.2);
    assertRates(step(model, 4, NO_RATE), 0, 0.5);
    assertRates(step(model, 5, NO_RATE), 0, 0.5);
  }

  @Test
  void aGroupWithoutASchedulesFollowsTheModels() {
    Model model = client.create(small("m").setSchedule(LINEAR));
    assertRates(step(model, 1, NO_RATE), 0.75, 0.75);
    Model only = client.create(small("n").putGroupSchedules("v", WARM));
    Throwable failure = catchThrowable(() -> step(only, 1, NO_RATE));
    assertThat(failure).hasMessageContaining("learning_rate: absent").hasMessageContaining("\"w\"");
  }

  @Test
  void aStepDoneAgainAfterARestartGetsTheSameRate() {
    Model reference = client.create(scheduled("reference"));
    for (int step = 1; step <= 3; step++) {
      step(reference, step, NO_RATE);
    }
    float[] expected = FloatTensors.weights(client, "reference");
    Model model =
        client.create(scheduled("m").setDurability(Durability.newBuilder().setEverySteps(2)));
    StepReport first = null;
    for (int step = 1; step <= 3; step++) {
      first = step(model, step, NO_RATE);
    }
    stop();
    start();
    // The third step was lost.
    Model restored = client.get("m");
    assertThat(restored.getCommittedStep()).isEqualTo(2);
    assertThat(restored.getSchedule()).isEqualTo(model.getSchedule());
    StepReport again = step(restored, 3, NO_RATE);
    assertThat(again.getParameters(0).getLearningRate())
        .isEqualTo(first.getParameters(0).getLearningRate())
        .isEqualTo(0.25);
    assertThat(FloatTensors.weights(client, "m")).isEqualTo(expected);
    assertThat(step(restored, 3, NO_RATE).getRepeatedStep()).isTrue();
  }

  @Test
  void aRestoredModelKeepsItsOwnScheduleThroughARestart() {
    step(client.create(scheduled("m")), 1, NO_RATE);
    client.save("m");
    client
        .models()
        .deleteModel(
            DeleteModelRequest.newBuilder().setModel("m").setKeepCheckpoints(true).build());
    Model created = client.create(small("m").setSchedule(WARM));
    Model restored = client.restore("m", "");
    assertThat(restored.getSchedule()).isEqualTo(created.getSchedule());
    assertRates(step(restored, 2, NO_RATE), 0.25, 0.25);
    stop();
    start();
    Model again = client.get("m");
    assertThat(again.getCommittedStep()).isEqualTo(1);
    assertThat(again.getSchedule()).isEqualTo(created.getSchedule());
    assertThat(again.getGroupSchedulesMap()).isEmpty();
    assertRates(step(again, 2, NO_RATE), 0.25, 0.25);
  }

  private void assertRefused(CreateModelRequest.Builder request, String field) {
    long before = server.engine.allocatedBytes();
    Throwable failure = catchThrowable(() -> client.create(request));
    assertThat(info(failure).getReason()).isEqualTo("INVALID_FIELD");
    assertThat(info(failure).getMetadataMap()).containsEntry("field", field);
    assertThat(refusal(() -> client.get("m"))).isEqualTo("NOT_FOUND/MODEL_NOT_FOUND");
    assertThat(server.engine.allocatedBytes()).isEqualTo(before);
  }

  @Test
  void schedulesThatCannotBeFollowedAreRefusedAtOnce() {
    Schedule steep = LINEAR.toBuilder().setLearningRate(9).build();
    assertRefused(small("m").setSchedule(steep), "schedule.learning_rate");
    assertRefused(small("m").putGroupSchedules("x", LINEAR), "group_schedules");
    assertRefused(
        small("m").putGroupSchedules("v", LINEAR.toBuilder().setTotalSteps(0).build()),
        "group_schedules[\"v\"].total_steps");
    // v is a sphere: any rate will do.
    client.create(small("m").setSchedule(LINEAR).putGroupSchedules("v", steep));
  }
}
