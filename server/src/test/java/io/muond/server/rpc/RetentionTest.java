package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.Duration;
import io.muond.v1.Checkpoint;
import io.muond.v1.DeleteCheckpointRequest;
import io.muond.v1.Durability;
import io.muond.v1.Model;
import io.muond.v1.SaveCheckpointRequest;
import io.muond.v1.StepReport;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Which checkpoints stay, what a restart goes back to, and what clients are told of it. */
class RetentionTest {
  @TempDir Path directory;

  private TestServer server;
  private TestClient client;

  @BeforeEach
  void start() {
    server =
        new TestServer(
            java.time.Duration.ofSeconds(30),
            java.time.Duration.ofMillis(20),
            Optional.of(directory));
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

  private static Durability.Builder every(long steps) {
    return Durability.newBuilder().setEverySteps(steps);
  }

  private Model create(Durability.Builder durability) {
    return client.create(small("m").setDurability(durability));
  }

  private List<Long> saved() {
    return client.checkpoints("m").stream().map(Checkpoint::getStep).toList();
  }

  private void steps(Model model, long from, long to) {
    for (long step = from; step <= to; step++) {
      client.step(model, step, (float) step);
    }
  }

  private Path file(long step, String name) {
    Checkpoint checkpoint =
        client.checkpoints("m").stream().filter(c -> c.getStep() == step).findFirst().orElseThrow();
    return directory.resolve("models/m/checkpoints/" + checkpoint.getCheckpoint()).resolve(name);
  }

  @Test
  void asManyStayAsTheModelSays() {
    Model model = create(every(1).setKeepCount(4));
    assertThat(model.getDurability().getKeepCount()).isEqualTo(4);
    steps(model, 1, 6);
    assertThat(saved()).containsExactly(6L, 5L, 4L, 3L);
    restart();
    assertThat(client.get("m").getDurability().getKeepCount()).isEqualTo(4);
    steps(model, 7, 7);
    assertThat(saved()).containsExactly(7L, 6L, 5L, 4L);
  }

  @Test
  void twoStayByDefaultAndOneIfThatIsWanted() {
    assertThat(create(every(1)).getDurability().getKeepCount()).isEqualTo(2);
    Model one = client.create(small("one").setDurability(every(1).setKeepCount(1)));
    StepReport report = client.step(one, 1, 1);
    assertThat(client.checkpoints("one")).hasSize(1);
    assertThat(report.getDurableStep()).isEqualTo(1);
    assertThat(report.hasFallbackStep()).isFalse();
  }

  @Test
  void oldOnesGoAtSavesAndAtTheStartButTheNewestStays() throws InterruptedException {
    Model model = create(every(1).setKeepCount(9).setKeepFor(Duration.newBuilder().setSeconds(1)));
    assertThat(model.getDurability().getKeepFor().getSeconds()).isEqualTo(1);
    steps(model, 1, 3);
    Thread.sleep(1_100);
    steps(model, 4, 5);
    assertThat(saved()).containsExactly(5L, 4L);
    Thread.sleep(1_100);
    restart();
    assertThat(saved()).containsExactly(5L);
    assertThat(client.get("m").getCommittedStep()).isEqualTo(5);
    assertThat(client.get("m").hasFallbackStep()).isFalse();
  }

  @Test
  void whatCannotBeKeptIsRefused() {
    assertThat(message(every(1).setKeepCount(1_001)))
        .contains("durability.keep_count: 1001 (expected: 1 to 1000)");
    assertThat(message(every(1).setKeepFor(Duration.newBuilder().setNanos(5))))
        .contains("durability.keep_for: 0.5 s (expected: at least 1 s)");
  }

  private String message(Durability.Builder durability) {
    Throwable failure = catchThrowable(() -> create(durability));
    assertThat(info(failure).getReason()).isEqualTo("INVALID_FIELD");
    return failure.getMessage();
  }

  @Test
  void aPrunableOneGoesLikeThoseThatTheServerWrites() {
    Model model = client.create(small("m"));
    for (int step = 1; step <= 4; step++) {
      client.step(model, step, 1);
      SaveCheckpointRequest request =
          SaveCheckpointRequest.newBuilder().setModel("m").setPrunable(step != 1).build();
      client.checkpoints().saveCheckpoint(request);
    }
    assertThat(saved()).containsExactly(4L, 3L, 1L);
  }

  @Test
  void reportsTellWhatAnIntactAndADamagedCheckpointLeave() {
    Model model = create(every(2));
    assertThat(model.getDurableStep()).isZero();
    assertThat(model.hasFallbackStep()).isFalse();
    steps(model, 1, 3);
    StepReport fourth = client.step(model, 4, 4);
    assertThat(fourth.getDurableStep()).isEqualTo(4);
    assertThat(fourth.getFallbackStep()).isEqualTo(2);
    StepReport fifth = client.step(model, 5, 5);
    assertThat(fifth.getDurableStep()).isEqualTo(4);
    client.save("m");
    // Of a stored report it is what is true now.
    StepReport again = client.step(model, 5, 5);
    assertThat(again.getRepeatedStep()).isTrue();
    assertThat(again.getDurableStep()).isEqualTo(5);
    assertThat(again.getFallbackStep()).isEqualTo(4);
    delete(4);
    assertThat(client.get("m").getFallbackStep()).isEqualTo(2);
    delete(5);
    assertThat(client.get("m").getDurableStep()).isEqualTo(2);
    assertThat(client.get("m").hasFallbackStep()).isFalse();
  }

  private void delete(long step) {
    client
        .checkpoints()
        .deleteCheckpoint(
            DeleteCheckpointRequest.newBuilder()
                .setModel("m")
                .setCheckpoint(file(step, "x").getParent().getFileName().toString())
                .build());
  }

  @Test
  void aRestartKeepsTheOriginAndARestoreDoesNot() {
    Model model = create(every(2));
    assertThat(model.getOrigin()).isEqualTo(model.getIncarnation());
    steps(model, 1, 3);
    restart();
    Model restarted = client.get("m");
    assertThat(restarted.getIncarnation()).isNotEqualTo(model.getIncarnation());
    assertThat(restarted.getOrigin()).isEqualTo(model.getOrigin());
    assertThat(restarted.getIncarnationStep()).isEqualTo(2);
    // Two checkpoints hold it: the one before the restart, and the one after it.
    assertThat(restarted.getFallbackStep()).isEqualTo(2);
    assertThat(info(catchThrowable(() -> client.step(model, 4, 1))).getMetadataMap())
        .containsEntry("origin", model.getOrigin())
        .containsEntry("incarnation_step", "2")
        .containsEntry("next_step", "3");
    Model restored = client.restore("m", "");
    assertThat(restored.getOrigin()).isEqualTo(restored.getIncarnation());
    assertThat(restored.getOrigin()).isNotEqualTo(model.getOrigin());
    // The checkpoint before is of another origin: nobody may take it for this model's.
    assertThat(restored.hasFallbackStep()).isFalse();
    restart();
    assertThat(client.get("m").getOrigin()).isEqualTo(restored.getOrigin());
    client.write("m", gradients(model, 1));
    Model written = client.get("m");
    assertThat(written.getOrigin()).isEqualTo(written.getIncarnation());
    assertThat(written.getOrigin()).isNotEqualTo(restored.getOrigin());
  }

  @Test
  void aRestoreOfAModelThatIsSavedOnRequestIsADifferentOriginAfterARestartToo() {
    Model model = client.create(small("m"));
    steps(model, 1, 1);
    Checkpoint first = client.save("m");
    steps(model, 2, 2);
    client.save("m");
    Model restored = client.restore("m", first.getCheckpoint());
    restart();
    assertThat(client.get("m").getOrigin()).isEqualTo(restored.getOrigin());
    assertThat(client.get("m").getOrigin()).isNotEqualTo(model.getOrigin());
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
  }

  /** What can happen to a checkpoint on disk. */
  enum Damage {
    FLIPPED_WEIGHTS("weights.safetensors"),
    FLIPPED_STATE("state.safetensors"),
    FLIPPED_MANIFEST("manifest.json"),
    TRUNCATED_WEIGHTS("weights.safetensors"),
    MISSING_STATE("state.safetensors"),
    MISSING_MANIFEST("manifest.json");

    private final String file;

    Damage(String file) {
      this.file = file;
    }

    private void happenTo(Path checkpoint) throws IOException {
      Path damaged = checkpoint.resolve(file);
      if (name().startsWith("MISSING")) {
        Files.delete(damaged);
      } else if (name().startsWith("TRUNCATED")) {
        try (FileChannel channel = FileChannel.open(damaged, StandardOpenOption.WRITE)) {
          channel.truncate(channel.size() - 1);
        }
      } else {
        byte[] bytes = Files.readAllBytes(damaged);
        bytes[bytes.length / 2] ^= 1;
        Files.write(damaged, bytes);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Damage.class)
  void theOneBeforeADamagedOneIsUsedAndNotPruned(Damage damage) throws IOException {
    Model model = create(every(2));
    steps(model, 1, 7);
    Path newest = file(6, "x").getParent();
    stop();
    damage.happenTo(newest);
    start();
    assertThat(client.get("m").getCommittedStep()).isEqualTo(4);
    assertThat(client.get("m").getOrigin()).isEqualTo(model.getOrigin());
    // The damaged one does not count: two intact ones of step 4 are there.
    assertThat(client.get("m").getFallbackStep()).isEqualTo(4);
    Path copy = newestFile();
    stop();
    Damage.FLIPPED_WEIGHTS.happenTo(copy);
    start();
    Model again = client.get("m");
    assertThat(again.getCommittedStep()).isEqualTo(4);
    steps(again, 5, 7);
    assertThat(client.get("m").getDurableStep()).isEqualTo(6);
  }

  private Path newestFile() {
    return directory
        .resolve("models/m/checkpoints")
        .resolve(client.checkpoints("m").get(0).getCheckpoint());
  }

  @Test
  void aDamagedFallbackIsNoneAndFoundAtTheStart() throws IOException {
    Model model = create(every(1).setKeepCount(3));
    steps(model, 1, 4);
    Path older = file(3, "x").getParent();
    stop();
    Damage.FLIPPED_WEIGHTS.happenTo(older);
    start();
    assertThat(client.get("m").getDurableStep()).isEqualTo(4);
    assertThat(client.get("m").getFallbackStep()).isEqualTo(2);
  }

  @Test
  void aStartOnADiskThatTakesNothingGoesOn() {
    Model model = create(every(2));
    steps(model, 1, 3);
    String id = client.checkpoints("m").get(0).getCheckpoint();
    stop();
    server =
        new TestServer(
            java.time.Duration.ofSeconds(30),
            java.time.Duration.ofMillis(20),
            Optional.of(ReadOnlyStorage.of(directory, "m", id)));
    client = server.client();
    Model restarted = client.get("m");
    assertThat(restarted.getCommittedStep()).isEqualTo(2);
    assertThat(restarted.getDurableStep()).isEqualTo(2);
    assertThat(restarted.getFallbackStep()).isZero();
    steps(restarted, 3, 3);
    assertThat(refusal(() -> steps(restarted, 4, 4))).isEqualTo("UNAVAILABLE/STORAGE_FAILED");
    assertThat(refusal(() -> client.restore("m", ""))).isEqualTo("UNAVAILABLE/STORAGE_FAILED");
  }
}
