package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.ByteString;
import io.muond.v1.Checkpoint;
import io.muond.v1.DeleteCheckpointRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.ListModelsRequest;
import io.muond.v1.Model;
import io.muond.v1.ParameterList;
import io.muond.v1.SetWorkersRequest;
import io.muond.v1.StepReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointsTest {
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

  private Checkpoint save() {
    return client.save("m");
  }

  private List<Checkpoint> list() {
    return client.checkpoints("m");
  }

  private Model restore(String checkpoint) {
    return client.restore("m", checkpoint);
  }

  @Test
  void aRestoredModelIsEqualBitForBitWithMomentumAndLedger() {
    Model model = client.create(small("m"));
    client.step(model, 1, 1);
    StepReport second = client.step(model, 2, 2);
    List<ByteString> weights = client.weights("m");
    Checkpoint checkpoint = save();
    assertThat(checkpoint.getStep()).isEqualTo(2);
    assertThat(client.get("m").getDurableStep()).isEqualTo(2);
    client.step(model, 3, 3);
    List<ByteString> third = client.weights("m");

    Model restored = restore(checkpoint.getCheckpoint());
    assertThat(restored.getCommittedStep()).isEqualTo(2);
    assertThat(restored.getIncarnation()).isNotEqualTo(model.getIncarnation());
    assertThat(client.weights("m")).isEqualTo(weights);
    assertThat(client.step(restored, 2, 2))
        .isEqualTo(second.toBuilder().setRepeatedStep(true).setDurableStep(2).build());
    assertThat(info(catchThrowable(() -> client.step(model, 4, 1))).getMetadataMap())
        .containsEntry("next_step", "3")
        .containsEntry("durable_step", "2");
    client.step(restored, 3, 3);
    assertThat(client.weights("m")).isEqualTo(third);
  }

  @Test
  void aRestartLoadsTheNewestCheckpointUnderANewIncarnation() {
    Model model = client.create(small("m").addWorkers("a").setMaxWorkers(2));
    client.models().setWorkers(SetWorkersRequest.newBuilder().setModel("m").build());
    Model alone = client.get("m");
    client.step(alone, 1, 1);
    List<ByteString> weights = client.weights("m");
    save();
    client.step(alone, 2, 1);
    restart();
    Model restored = client.get("m");
    assertThat(restored.getCommittedStep()).isEqualTo(1);
    assertThat(restored.getDurableStep()).isEqualTo(1);
    assertThat(restored.getWorkersList()).containsExactly("");
    assertThat(restored.getWorkerEpoch()).isEqualTo(2);
    assertThat(restored.getMaxWorkers()).isEqualTo(2);
    assertThat(restored.getCreateTime()).isEqualTo(model.getCreateTime());
    assertThat(restored.getParametersList()).isEqualTo(model.getParametersList());
    assertThat(client.weights("m")).isEqualTo(weights);
    assertThat(refusal(() -> client.step(alone, 2, 1))).isEqualTo("ABORTED/MODEL_REWOUND");
    client.step(restored, 2, 1);
  }

  @Test
  void withEveryStepSavedARestartChangesNothing() {
    Model model = client.create(small("m").setDurability(Durability.newBuilder().setEverySteps(1)));
    for (int step = 1; step <= 4; step++) {
      assertThat(client.step(model, step, step).getDurableStep()).isEqualTo(step);
    }
    // The last two are kept.
    assertThat(list()).extracting(Checkpoint::getStep).containsExactly(4L, 3L);
    List<ByteString> weights = client.weights("m");
    restart();
    assertThat(client.get("m").getIncarnation()).isEqualTo(model.getIncarnation());
    assertThat(client.weights("m")).isEqualTo(weights);
    assertThat(client.step(model, 4, 4).getRepeatedStep()).isTrue();
    client.step(model, 5, 5);
  }

  @Test
  void whatTheServerWroteItselfItRemovesAfterARestartToo() {
    Model model = client.create(small("m").setDurability(Durability.newBuilder().setEverySteps(1)));
    client.step(model, 1, 1);
    // Asked for, and saved again because of the workers: it stays.
    save();
    client.models().setWorkers(SetWorkersRequest.newBuilder().setModel("m").build());
    for (int step = 2; step <= 9; step++) {
      client.step(model, step, 1);
      restart();
    }
    assertThat(list()).extracting(Checkpoint::getStep).containsExactly(9L, 8L, 1L);
  }

  @Test
  void everyNthStepIsSaved() {
    Model model = client.create(small("m").setDurability(Durability.newBuilder().setEverySteps(2)));
    assertThat(client.step(model, 1, 1).getDurableStep()).isZero();
    assertThat(client.step(model, 2, 1).getDurableStep()).isEqualTo(2);
    assertThat(client.step(model, 3, 1).getDurableStep()).isEqualTo(2);
    client.write("m", gradients(model, 1));
    restart();
    // Written weights are saved at once; steps may have been lost since.
    assertThat(TestClient.first(client.weights("m").get(0))).isEqualTo(1);
    assertThat(client.get("m").getCommittedStep()).isEqualTo(3);
  }

  @Test
  void aDamagedCheckpointIsPassedOver() throws IOException {
    Model model = client.create(small("m").setDurability(Durability.newBuilder().setEverySteps(1)));
    client.step(model, 1, 1);
    List<ByteString> weights = client.weights("m");
    client.step(model, 2, 1);
    String newest = list().get(0).getCheckpoint();
    damage(newest, "weights.safetensors");
    assertThat(refusal(() -> restore(newest))).isEqualTo("DATA_LOSS/CHECKPOINT_CORRUPT");
    assertThat(client.get("m").getCommittedStep()).isEqualTo(2);
    restart();
    assertThat(client.weights("m")).isEqualTo(weights);
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
    assertThat(client.get("m").getIncarnation()).isNotEqualTo(model.getIncarnation());
  }

  private void damage(String checkpoint, String file) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      Path damaged =
          files
              .filter(f -> f.toString().contains(checkpoint))
              .filter(f -> f.endsWith(file))
              .findFirst()
              .orElseThrow();
      byte[] bytes = Files.readAllBytes(damaged);
      bytes[bytes.length - 1] ^= 1;
      Files.write(damaged, bytes);
    }
  }

  @Test
  void aCheckpointWithoutAReadableManifestIsPassedOverToo() throws IOException {
    Model model = client.create(small("m").setDurability(Durability.newBuilder().setEverySteps(1)));
    client.step(model, 1, 1);
    client.step(model, 2, 1);
    damage(list().get(0).getCheckpoint(), "manifest.json");
    restart();
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
    assertThat(client.get("m").getIncarnation()).isNotEqualTo(model.getIncarnation());
  }

  @Test
  void aStepIsDurableAsLongAsItsCheckpointIsKept() {
    Model model = client.create(small("m"));
    Checkpoint first = save();
    client.step(model, 1, 1);
    Checkpoint second = save();
    assertThat(client.get("m").getDurableStep()).isEqualTo(1);
    delete(second);
    assertThat(client.get("m").getDurableStep()).isZero();
    assertThat(client.get("m").hasDurableStep()).isTrue();
    delete(first);
    assertThat(client.get("m").hasDurableStep()).isFalse();
  }

  private void delete(Checkpoint checkpoint) {
    client
        .checkpoints()
        .deleteCheckpoint(
            DeleteCheckpointRequest.newBuilder()
                .setModel("m")
                .setCheckpoint(checkpoint.getCheckpoint())
                .build());
  }

  @Test
  void aDeletedModelStaysDeleted() {
    Model model = client.create(small("m"));
    client.step(model, 1, 1);
    List<ByteString> weights = client.weights("m");
    save();
    client
        .models()
        .deleteModel(
            DeleteModelRequest.newBuilder().setModel("m").setKeepCheckpoints(true).build());
    restart();
    assertThat(client.models().listModels(ListModelsRequest.getDefaultInstance()).getModelsList())
        .isEmpty();
    assertThat(list()).hasSize(1);
    assertThat(restore("").getCommittedStep()).isEqualTo(1);
    assertThat(client.weights("m")).isEqualTo(weights);
    client.models().deleteModel(DeleteModelRequest.newBuilder().setModel("m").build());
    assertThat(list()).isEmpty();
    assertThat(refusal(() -> restore(""))).isEqualTo("NOT_FOUND/CHECKPOINT_NOT_FOUND");
  }

  @Test
  void aRestartGoesBackToTheCheckpointRestoredLast() {
    Model model = client.create(small("m"));
    client.step(model, 1, 1);
    Checkpoint first = save();
    client.step(model, 2, 1);
    Checkpoint second = save();
    assertThat(restore(first.getCheckpoint()).getDurableStep()).isEqualTo(1);
    assertThat(list()).containsExactly(first, second);
    restart();
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
    assertThat(client.get("m").getDurableStep()).isEqualTo(1);
  }

  @Test
  void aDamagedCheckpointDoesNotBringADeletedModelBack() throws IOException {
    client.create(small("m"));
    save();
    client
        .models()
        .deleteModel(
            DeleteModelRequest.newBuilder().setModel("m").setKeepCheckpoints(true).build());
    client.create(small("m").setSeed(8));
    damage(save().getCheckpoint(), "weights.safetensors");
    restart();
    assertThat(client.models().listModels(ListModelsRequest.getDefaultInstance()).getModelsList())
        .isEmpty();
  }

  @Test
  void checkpointsAreListedAndDeleted() {
    Model model = client.create(small("m"));
    Checkpoint first = save();
    client.step(model, 1, 1);
    Checkpoint second = save();
    assertThat(list()).containsExactly(second, first);
    DeleteCheckpointRequest request =
        DeleteCheckpointRequest.newBuilder()
            .setModel("m")
            .setCheckpoint(first.getCheckpoint())
            .build();
    assertThat(client.checkpoints().deleteCheckpoint(request).getFreedBytes())
        .isEqualTo(first.getSizeBytes());
    assertThat(list()).containsExactly(second);
    assertThat(refusal(() -> client.checkpoints().deleteCheckpoint(request)))
        .isEqualTo("NOT_FOUND/CHECKPOINT_NOT_FOUND");
    assertThat(refusal(() -> restore("nonsense"))).isEqualTo("NOT_FOUND/CHECKPOINT_NOT_FOUND");
  }

  @Test
  void aCheckpointOfOtherParametersIsRefused() {
    client.create(small("m"));
    Checkpoint checkpoint = save();
    client
        .models()
        .deleteModel(
            DeleteModelRequest.newBuilder().setModel("m").setKeepCheckpoints(true).build());
    client.create(
        small("m")
            .setParameters(
                ParameterList.newBuilder().addParameters(TestClient.parameter("w", 5, 3))));
    assertThat(refusal(() -> restore(checkpoint.getCheckpoint())))
        .isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
    save();
    restart();
    assertThat(client.get("m").getParameters(0).getShape(0)).isEqualTo(5);
  }
}
