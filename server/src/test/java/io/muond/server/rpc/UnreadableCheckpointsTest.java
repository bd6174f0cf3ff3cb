package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.ByteString;
import io.muond.server.checkpoint.CheckpointMeta;
import io.muond.server.checkpoint.CheckpointStore;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Model;
import java.io.IOException;
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

/** Checkpoints whose checksums are right, and whose contents no server wrote. */
class UnreadableCheckpointsTest {
  private static final ByteString GARBAGE = ByteString.copyFrom(new byte[] {0, 0, 0, 1, 9, 9, 9});

  @TempDir Path directory;

  private TestServer server;
  private TestClient client;
  private String first;
  private String second;

  @BeforeEach
  void saveTwo() {
    start();
    Model model = client.create(small("m"));
    client.step(model, 1, 1);
    first = client.save("m").getCheckpoint();
    client.step(model, 2, 1);
    second = client.save("m").getCheckpoint();
  }

  private void start() {
    server = new TestServer(Duration.ofSeconds(30), Duration.ofMillis(20), Optional.of(directory));
    client = server.client();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  /** What is done to the second checkpoint while no server runs. */
  private interface Forgery {
    void run(CheckpointStore store, CheckpointMeta meta) throws IOException;
  }

  private void forge(Forgery forgery) throws IOException {
    stop();
    try (CheckpointStore store = new CheckpointStore(directory)) {
      forgery.run(store, store.meta("m", second));
    }
    start();
  }

  private static CheckpointMeta meta(CheckpointMeta of, ByteString modelSpec, ByteString ledger) {
    return new CheckpointMeta(
        of.step(), of.incarnation(), modelSpec, ledger, of.createTime(), of.automatic());
  }

  /** The tensors stay as they are: the checkpoint is there already. */
  private static void saveAgain(CheckpointStore store, CheckpointMeta meta) throws IOException {
    store.save("m", meta, List.of(), List.of());
  }

  private void assertUnreadable(String file, String fault) {
    assertThat(refusal(() -> client.restore("m", second)))
        .isEqualTo("DATA_LOSS/CHECKPOINT_CORRUPT");
    Throwable failure = catchThrowable(() -> client.restore("m", second));
    assertThat(failure).hasMessageContaining(file + ": " + fault);
    assertThat(info(failure).getMetadataMap())
        .containsEntry("checkpoint", second)
        .hasEntrySatisfying("file", name -> assertThat(name).endsWith(second + "/" + file));
    assertThat(client.restore("m", first).getCommittedStep()).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"model_spec", "ledger"})
  void garbageIsPassedOverAndNamed(String field) throws IOException {
    forge(
        (store, meta) ->
            saveAgain(
                store,
                field.equals("ledger")
                    ? meta(meta, meta.modelSpec(), GARBAGE)
                    : meta(meta, GARBAGE, meta.ledger())));
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
    assertUnreadable("manifest.json", field + ": ");
  }

  @Test
  void aLedgerIsReadToItsEndAndNotBeyond() throws IOException {
    forge((store, meta) -> saveAgain(store, meta(meta, meta.modelSpec(), cut(meta.ledger()))));
    assertUnreadable("manifest.json", "ledger: report of");
    forge(
        (store, meta) ->
            saveAgain(
                store,
                meta(meta, meta.modelSpec(), store.meta("m", first).ledger().concat(GARBAGE))));
    assertUnreadable("manifest.json", "ledger: more bytes");
    forge(
        (store, meta) ->
            saveAgain(store, meta(meta, meta.modelSpec(), store.meta("m", first).ledger())));
    assertUnreadable("manifest.json", "ledger: record of step 1 (expected: 2)");
  }

  private static ByteString cut(ByteString bytes) {
    return bytes.substring(0, bytes.size() - 1);
  }

  @Test
  void aDeclarationThatNobodyCouldHaveSentIsNamed() throws IOException {
    ByteString nameless = CreateModelRequest.newBuilder().setModel("m").build().toByteString();
    forge((store, meta) -> saveAgain(store, meta(meta, nameless, meta.ledger())));
    assertUnreadable("manifest.json", "model_spec: ");
  }

  @Test
  void tensorsThatAreMissingAreNamed() throws IOException {
    forge((store, meta) -> store.replace("m", meta, List.of(), List.of()));
    // The one before it holds the model's tensors: a start uses that, and so does a restore.
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
    assertThat(client.restore("m", "").getCommittedStep()).isEqualTo(1);
    assertThat(refusal(() -> client.restore("m", second)))
        .isEqualTo("DATA_LOSS/CHECKPOINT_CORRUPT");
    assertThat(catchThrowable(() -> client.restore("m", second)))
        .hasMessageContaining("weights.safetensors: tensors are missing or too short: [v, w]");
  }

  @Test
  void aModelOfWhichNothingFitsIsLeftOutAndNamed() throws IOException {
    stop();
    try (CheckpointStore store = new CheckpointStore(directory)) {
      store.replace("m", store.meta("m", first), List.of(), List.of());
      store.replace("m", store.meta("m", second), List.of(), List.of());
    }
    start();
    assertThat(server.models.list()).isEmpty();
    assertThat(refusal(() -> client.restore("m", ""))).isEqualTo("NOT_FOUND/CHECKPOINT_NOT_FOUND");
  }
}
