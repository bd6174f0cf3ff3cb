package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.muond.server.model.FinalCheckpoints;
import io.muond.v1.Checkpoint;
import io.muond.v1.Durability;
import io.muond.v1.Model;
import io.muond.v1.SetWorkersRequest;
import io.muond.v1.Upload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The last checkpoints of a server that is stopped in peace, and the restart after it. */
class FinalCheckpointsTest {
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
    server.close();
    start();
  }

  private void restartInPeace() {
    saveAll();
    restart();
  }

  private void saveAll() {
    FinalCheckpoints last = server.host.finalCheckpoints();
    last.beginAll();
    last.await();
    assertThat(last.failures()).isEmpty();
    assertThat(last.unfinished()).isEmpty();
  }

  private void assertSame(Model before, List<ByteString> weights) {
    Model now = client.get("m");
    assertThat(now.getIncarnation()).isEqualTo(before.getIncarnation());
    assertThat(now.getCommittedStep()).isEqualTo(before.getCommittedStep());
    assertThat(now.getDurableStep()).isEqualTo(before.getCommittedStep());
    assertThat(client.weights("m")).isEqualTo(weights);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 3})
  void aModelGoesOnAsIfNothingHadHappened(long every) {
    Durability durability =
        every == 0
            ? Durability.getDefaultInstance()
            : Durability.newBuilder().setEverySteps(every).build();
    Model model = client.create(small("m").setDurability(durability));
    Model twin = client.create(small("twin"));
    client.step(model, 1, 1);
    client.step(model, 2, 2);
    client.step(twin, 1, 1);
    client.step(twin, 2, 2);
    Model before = client.get("m");
    List<ByteString> weights = client.weights("m");
    restartInPeace();
    assertSame(before, weights);
    // The last step's report is there, and its momentum.
    assertThat(client.step(model, 2, 2).getRepeatedStep()).isTrue();
    client.step(model, 3, 3);
    client.step(twin, 3, 3);
    assertThat(client.weights("m")).isEqualTo(client.weights("twin"));
  }

  @Test
  void stepsThatAreLostAfterwardsEndTheIncarnation() {
    Model model = client.create(small("m"));
    client.step(model, 1, 1);
    restartInPeace();
    client.step(model, 2, 2);
    restart();
    Model now = client.get("m");
    assertThat(now.getCommittedStep()).isEqualTo(1);
    assertThat(now.getIncarnation()).isNotEqualTo(model.getIncarnation());
    // Nor does an end in peace bring back what has ended before.
    restartInPeace();
    assertThat(client.get("m").getIncarnation()).isEqualTo(now.getIncarnation());
  }

  @Test
  void anotherCheckpointThanTheLastIsNoEndInPeace() throws IOException {
    Model model = client.create(small("m"));
    client.step(model, 1, 1);
    client.save("m");
    client.step(model, 2, 2);
    saveAll();
    Checkpoint last = client.checkpoints("m").get(0);
    assertThat(last.getStep()).isEqualTo(2);
    server.close();
    Files.write(
        directory.resolve("models/m/checkpoints/" + last.getCheckpoint() + "/weights.safetensors"),
        new byte[] {1});
    start();
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
    assertThat(client.get("m").getIncarnation()).isNotEqualTo(model.getIncarnation());
  }

  @Test
  void whatIsSavedIsNotSavedAgain() {
    Model model = client.create(small("m"));
    client.step(model, 1, 1);
    client.save("m");
    List<Checkpoint> saved = client.checkpoints("m");
    Model before = client.get("m");
    restartInPeace();
    assertThat(client.checkpoints("m")).isEqualTo(saved);
    assertSame(before, client.weights("m"));
    restartInPeace();
    assertThat(client.checkpoints("m")).isEqualTo(saved);
    assertThat(client.get("m").getIncarnation()).isEqualTo(model.getIncarnation());
  }

  @Test
  void aRestoredCheckpointIsSavedUnderItsNewIncarnation() {
    Model model = client.create(small("m"));
    client.step(model, 1, 1);
    String first = client.save("m").getCheckpoint();
    client.step(model, 2, 2);
    Model restored = client.restore("m", first);
    assertThat(restored.getIncarnation()).isNotEqualTo(model.getIncarnation());
    List<ByteString> weights = client.weights("m");
    restartInPeace();
    assertSame(restored, weights);
    assertThat(client.get("m").getOrigin()).isEqualTo(restored.getOrigin());
    assertThat(refusal(() -> client.step(model, 2, 2))).isEqualTo("ABORTED/MODEL_REWOUND");
  }

  @Test
  void writtenWeightsAndWorkersAreSaved() {
    Model model = client.create(small("m").setMaxWorkers(2));
    client.save("m");
    client.write("m", gradients(model, 3));
    List<ByteString> written = client.weights("m");
    restartInPeace();
    assertThat(client.weights("m")).isEqualTo(written);
    SetWorkersRequest workers =
        SetWorkersRequest.newBuilder().setModel("m").addWorkers("a").addWorkers("b").build();
    assertThat(client.models().setWorkers(workers).getWorkerEpoch()).isEqualTo(2);
    Model before = client.get("m");
    restartInPeace();
    assertThat(client.get("m").getWorkersList()).containsExactly("a", "b");
    assertThat(client.get("m").getWorkerEpoch()).isEqualTo(2);
    assertSame(before, written);
  }

  @Test
  void aModelWithoutWeightsHasNothingToSave() {
    client.create(small("m").setUpload(Upload.getDefaultInstance()));
    saveAll();
    assertThat(client.checkpoints("m")).isEmpty();
  }
}
