package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.ByteString;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.muond.v1.Checkpoint;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.ListModelsRequest;
import io.muond.v1.Model;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.SetWorkersRequest;
import io.muond.v1.StepHeader;
import io.muond.v1.StepServiceGrpc;
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

/**
 * What is promised when the data directory cannot be written. Tests may run as root, whom
 * permissions do not stop: so a file stands where a directory must be, or the other way round.
 */
class StorageFailuresTest {
  private static final String STORAGE_FAILED = "UNAVAILABLE/STORAGE_FAILED";

  @TempDir Path directory;

  private TestServer server;
  private ManagedChannel channel;
  private TestClient client;

  @BeforeEach
  void start() {
    start(directory);
  }

  private void start(Path dataDirectory) {
    server =
        new TestServer(Duration.ofSeconds(30), Duration.ofMillis(20), Optional.of(dataDirectory));
    channel =
        Grpc.newChannelBuilder(
                "127.0.0.1:" + server.server().port(), InsecureChannelCredentials.create())
            // For errors that name files with very long names.
            .maxInboundMetadataSize(1 << 16)
            .build();
    client = new TestClient(channel);
  }

  @AfterEach
  void stop() {
    channel.shutdownNow();
    server.close();
  }

  private void restart() {
    stop();
    start();
  }

  /** Model "m", saved after every n-th step. */
  private static CreateModelRequest.Builder saved(long every) {
    return small("m").setDurability(Durability.newBuilder().setEverySteps(every));
  }

  private void restartReadOnly() {
    String id = client.checkpoints("m").get(0).getCheckpoint();
    stop();
    start(ReadOnlyStorage.of(directory, "m", id));
  }

  private Path checkpoints() {
    return directory.resolve("models/m/checkpoints");
  }

  private Path aside() {
    return directory.resolve("models/m/aside");
  }

  /** Nothing can be written any more: where checkpoints go there is a file. */
  private void breakStorage() throws IOException {
    Files.move(checkpoints(), aside());
    Files.createFile(checkpoints());
  }

  private void repairStorage() throws IOException {
    Files.delete(checkpoints());
    Files.move(aside(), checkpoints());
  }

  /** The tombstone can be neither written nor removed: it is a directory with something in it. */
  private void breakTombstone() throws IOException {
    Files.createDirectories(tombstone().resolve("x"));
  }

  private void repairTombstone() throws IOException {
    Files.delete(tombstone().resolve("x"));
    Files.delete(tombstone());
  }

  private Path tombstone() {
    return directory.resolve("models/m/tombstone");
  }

  /** All that a client can see of a model. */
  private record View(Model model, List<ByteString> weights) {}

  private View view() {
    return new View(client.get("m"), client.weights("m"));
  }

  /** A model that does what "m" should do, and cannot fail. */
  private Model twin(float... gradients) {
    Model twin = client.create(small("twin"));
    for (int i = 0; i < gradients.length; i++) {
      client.step(twin, i + 1, gradients[i]);
    }
    return twin;
  }

  /** Momentum shows when it goes on: compares with {@code twin} after one more step. */
  private void assertGoesOnAs(Model twin) {
    Model model = client.get("m");
    long step = model.getCommittedStep() + 1;
    client.step(model, step, 3);
    client.step(twin, step, 3);
    assertThat(client.weights("m")).isEqualTo(client.weights("twin"));
  }

  @Test
  void writtenWeightsThatCannotBeSavedAreNotWritten() throws IOException {
    Model model = client.create(saved(1));
    client.step(model, 1, 1);
    Model twin = twin(1);
    View before = view();
    breakStorage();
    assertThat(refusal(() -> client.write("m", gradients(model, 3)))).isEqualTo(STORAGE_FAILED);
    assertThat(view()).isEqualTo(before);
    repairStorage();
    assertGoesOnAs(twin);
    assertThat(client.write("m", gradients(model, 3)).getNextStep()).isEqualTo(3);
  }

  @Test
  void aFirstUploadThatCannotBeSavedLeavesTheModelWaiting() throws IOException {
    Model model = client.create(saved(1).setUpload(io.muond.v1.Upload.getDefaultInstance()));
    Files.createDirectories(checkpoints());
    breakStorage();
    assertThat(refusal(() -> client.write("m", gradients(model, 3)))).isEqualTo(STORAGE_FAILED);
    assertThat(client.get("m")).isEqualTo(model);
    assertThat(refusal(() -> client.weights("m"))).isEqualTo("FAILED_PRECONDITION/WEIGHTS_MISSING");
    repairStorage();
    client.write("m", gradients(model, 3));
    assertThat(client.get("m").getDurableStep()).isZero();
    assertThat(client.get("m").hasDurableStep()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1})
  void aCheckpointWhoseReturnCannotBeSavedIsNotRestored(long every) throws IOException {
    Model model = client.create(every == 0 ? small("m") : saved(every));
    client.step(model, 1, 1);
    String older = client.save("m").getCheckpoint();
    client.step(model, 2, 2);
    client.save("m");
    restartReadOnly();
    View before = view();
    List<Checkpoint> listed = client.checkpoints("m");
    assertThat(refusal(() -> client.restore("m", older))).isEqualTo(STORAGE_FAILED);
    assertThat(view()).isEqualTo(before);
    assertThat(client.checkpoints("m")).isEqualTo(listed);
    restart();
    assertThat(client.weights("m")).isEqualTo(before.weights());
    assertGoesOnAs(twin(1, 2));
    assertThat(client.restore("m", older).getCommittedStep()).isEqualTo(1);
  }

  @Test
  void workersThatCannotBeSavedAreNotSet() throws IOException {
    Model model = client.create(saved(1).setMaxWorkers(2));
    client.step(model, 1, 1);
    View before = view();
    SetWorkersRequest request =
        SetWorkersRequest.newBuilder().setModel("m").addWorkers("a").addWorkers("b").build();
    breakStorage();
    assertThat(refusal(() -> client.models().setWorkers(request))).isEqualTo(STORAGE_FAILED);
    assertThat(view()).isEqualTo(before);
    repairStorage();
    restartReadOnly();
    assertThat(refusal(() -> client.models().setWorkers(request))).isEqualTo(STORAGE_FAILED);
    assertThat(view()).isEqualTo(before);
    restart();
    assertThat(view()).isEqualTo(before);
    assertThat(client.models().setWorkers(request).getWorkerEpoch()).isEqualTo(2);
    restart();
    assertThat(client.get("m").getWorkersList()).containsExactly("a", "b");
  }

  @Test
  void aStepThatCannotBeSavedIsNotCommitted() throws IOException {
    Model model = client.create(saved(1));
    client.step(model, 1, 1);
    Model twin = twin(1);
    View before = view();
    breakStorage();
    for (int attempt = 0; attempt < 2; attempt++) {
      assertThat(refusal(() -> client.step(model, 2, 2))).isEqualTo(STORAGE_FAILED);
      assertThat(view()).isEqualTo(before);
    }
    repairStorage();
    // It never was: other gradients may take its number.
    assertThat(client.step(model, 2, 5).getRepeatedStep()).isFalse();
    client.step(twin, 2, 5);
    assertThat(client.weights("m")).isEqualTo(client.weights("twin"));
    assertGoesOnAs(twin);
    List<ByteString> weights = client.weights("m");
    restart();
    assertThat(client.get("m").getIncarnation()).isEqualTo(model.getIncarnation());
    assertThat(client.weights("m")).isEqualTo(weights);
  }

  /** A disk that fails may keep even the checkpoint of a step that was refused. */
  @Test
  void whatARefusedStepLeftIsNotTakenForTheStep() throws IOException {
    Model model = client.create(saved(1));
    client.step(model, 1, 1);
    client.step(model, 2, 2);
    Path second = checkpoints().resolve(client.checkpoints("m").get(0).getCheckpoint());
    stop();
    Files.move(second, aside());
    start();
    assertThat(client.get("m").getIncarnation()).isEqualTo(model.getIncarnation());
    Files.move(aside(), second);
    client.step(model, 2, 5);
    View after = view();
    restart();
    assertThat(view()).isEqualTo(after);
  }

  @Test
  void stepsDoNotDependOnTombstones() throws IOException {
    Model model = client.create(saved(1));
    breakTombstone();
    assertThat(client.step(model, 1, 1).getDurableStep()).isEqualTo(1);
    repairTombstone();
  }

  @Test
  void onlyAStepThatIsDueDependsOnStorage() throws IOException {
    Model model = client.create(saved(2));
    breakStorage();
    assertThat(client.step(model, 1, 1).getDurableStep()).isZero();
    View before = view();
    assertThat(refusal(() -> client.step(model, 2, 1))).isEqualTo(STORAGE_FAILED);
    assertThat(view()).isEqualTo(before);
    repairStorage();
    assertThat(client.step(model, 2, 1).getDurableStep()).isEqualTo(2);
  }

  /** Were a step published first, a crash could give its etag to two different weights. */
  @Test
  void whatIsReadIsOnDisk() {
    Model model = client.create(saved(1));
    Thread steps =
        new Thread(
            () -> {
              for (int step = 1; step <= 60; step++) {
                client.step(model, step, step);
              }
            });
    steps.start();
    while (steps.isAlive()) {
      long read = client.get("m").getCommittedStep();
      assertThat(client.checkpoints("m").get(0).getStep()).isGreaterThanOrEqualTo(read);
    }
    assertThat(client.get("m").getCommittedStep()).isEqualTo(60);
  }

  @Test
  void aModelWhoseTombstoneCannotBeWrittenGoesOn() throws IOException {
    Model model = client.create(small("m"));
    client.save("m");
    StepHeader header = header(model, 1);
    client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header).build());
    Collector<FillStepResponse> filled = new Collector<>();
    var fill = StepServiceGrpc.newStub(client.channel).fillStep(filled);
    fill.onNext(
        FillStepRequest.newBuilder().setHeader(header).addAllChunks(gradients(model, 1)).build());
    fill.onCompleted();
    filled.await();
    View before = view();
    breakTombstone();
    assertThat(refusal(() -> delete("m"))).isEqualTo(STORAGE_FAILED);
    assertThat(view()).isEqualTo(before);
    // Its open step is still open.
    var answers =
        client
            .steps()
            .commitStep(
                CommitStepRequest.newBuilder().setHeader(header).setOptions(options()).build());
    assertThat(answers.next().getReport().getStep()).isEqualTo(1);
    repairTombstone();
    delete("m");
    assertThat(server.engine.allocatedBytes()).isZero();
    restart();
    assertThat(models()).isEmpty();
    assertThat(client.checkpoints("m")).isEmpty();
  }

  private void delete(String model) {
    client.models().deleteModel(DeleteModelRequest.newBuilder().setModel(model).build());
  }

  private List<Model> models() {
    return client.models().listModels(ListModelsRequest.getDefaultInstance()).getModelsList();
  }

  @Test
  void anExpiredLeaseWaitsForTheTombstone() throws Exception {
    client.create(small("m").setLeaseTtl(com.google.protobuf.Duration.newBuilder().setSeconds(1)));
    client.save("m");
    breakTombstone();
    Thread.sleep(1500);
    assertThat(models()).hasSize(1);
    client.weights("m");
    repairTombstone();
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (!models().isEmpty()) {
      assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
    }
    restart();
    assertThat(models()).isEmpty();
  }

  @Test
  void theFileIsNamed() throws IOException {
    Model model = client.create(saved(1));
    breakStorage();
    assertThat(info(catchThrowable(() -> client.step(model, 1, 1))).getMetadataMap())
        .hasEntrySatisfying("file", file -> assertThat(file).startsWith(checkpoints().toString()));
  }
}
