package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.OpenStep;
import io.muond.client.ReadOptions;
import io.muond.client.StepOptions;
import io.muond.client.StepResult;
import io.muond.client.Tensor;
import io.muond.client.Weights;
import io.muond.server.FaultyProxy;
import io.muond.v1.Checkpoint;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.ErrorReason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The Java library on a server that goes down without a word, and comes back. */
@Timeout(60)
class ReplayTest {
  /** Bytes of one step's gradients: w (4, 3) and v (5). */
  private static final long STEP = 4 * (4 * 3 + 5);

  @TempDir Path directory;

  private TestServer server;
  private FaultyProxy proxy;
  private MuondClient client;
  private final Tensor w = Tensor.zeros(4, 3);
  private final Tensor v = Tensor.zeros(5);

  @BeforeEach
  void start() throws IOException {
    server = serve(Optional.of(directory));
    proxy = new FaultyProxy(server.server().port());
    client = MuondClient.connect(proxy.address());
  }

  private static TestServer serve(Optional<Path> data) {
    return new TestServer(Duration.ofSeconds(30), Duration.ofMillis(20), data);
  }

  @AfterEach
  void stop() throws IOException {
    client.close();
    proxy.close();
    server.close();
  }

  private void limit(long bytes) {
    client.close();
    client = MuondClient.builder(proxy.address()).replayLimit(bytes).build();
  }

  /** What is not on disk is gone. */
  private void crash() {
    server.close();
    server = serve(Optional.of(directory));
    proxy.cut();
    proxy.setTarget(server.server().port());
  }

  private static CreateModelRequest.Builder every(long steps) {
    return small("m").setDurability(Durability.newBuilder().setEverySteps(steps));
  }

  /** The gradients of a step, in the same arrays for all: nobody may count on the last ones. */
  private Map<String, Tensor> gradients(long step) {
    Random random = new Random(step);
    for (Tensor tensor : List.of(w, v)) {
      for (int i = 0; i < tensor.values().length; i++) {
        tensor.values()[i] = (float) random.nextGaussian();
      }
    }
    return Map.of("w", w, "v", v);
  }

  private StepResult step(ModelHandle model) {
    long number = model.nextStep();
    StepResult result = model.step(gradients(number), 0.25);
    assertThat(result.report().getStep()).isEqualTo(number);
    assertThat(model.nextStep()).isEqualTo(number + 1);
    return result;
  }

  private void steps(ModelHandle model, long until) {
    while (model.nextStep() <= until) {
      step(model);
    }
  }

  private static Map<String, List<Float>> values(Weights weights) {
    Map<String, List<Float>> values = new TreeMap<>();
    weights
        .tensors()
        .forEach(
            (name, tensor) ->
                values.put(
                    name,
                    IntStream.range(0, tensor.values().length)
                        .mapToObj(i -> tensor.values()[i])
                        .toList()));
    return values;
  }

  /** What the model has become, read after {@code step} steps, is what no crash has touched. */
  private void assertUntouched(ModelHandle model, long step) {
    Weights weights = model.readWeights();
    assertThat(weights.step()).isEqualTo(step);
    try (ModelHandle twin = client.createModel(small("twin").build())) {
      steps(twin, step);
      assertThat(values(weights)).isEqualTo(values(twin.readWeights()));
      client.deleteModel("twin", false);
    }
    assertThat(client.getModel("m").getCommittedStep()).isEqualTo(step);
  }

  private void flipNewest() throws IOException {
    Checkpoint newest = client.listCheckpoints("m").get(0);
    Path file =
        directory.resolve(
            "models/m/checkpoints/" + newest.getCheckpoint() + "/weights.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 3] ^= 4;
    Files.write(file, bytes);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 4})
  void aCrashIsNotSeen(long every) {
    try (ModelHandle model = client.createModel(every(every).build())) {
      for (long crash : new long[] {3, 6, 8, 9}) {
        steps(model, crash);
        crash();
      }
      steps(model, 11);
      assertUntouched(model, 11);
    }
  }

  @Test
  void readingBringsBackWhatACrashHasUndone() {
    try (ModelHandle model = client.createModel(every(4).build())) {
      steps(model, 7);
      crash();
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(4);
      assertUntouched(model, 7);
      crash();
      assertThat(model.readWeights(ReadOptions.ALL.withStep(7)).step()).isEqualTo(7);
      crash();
      assertThat(model.refresh().getCommittedStep()).isEqualTo(7);
      assertUntouched(model, 7);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 4})
  void theNewestCheckpointMayBeDamagedAtEveryCrash(long every) throws IOException {
    try (ModelHandle model = client.createModel(every(every).build())) {
      // Until step 4 there is one checkpoint only.
      for (long crash = 5; crash <= 11; crash += 2) {
        steps(model, crash);
        flipNewest();
        crash();
      }
      assertUntouched(model, 11);
    }
  }

  @Test
  void aStepWhoseCheckpointHasNoManifestAnyMoreIsSentAgain() throws IOException {
    try (ModelHandle model = client.createModel(every(1).build())) {
      steps(model, 3);
      String newest = client.listCheckpoints("m").get(0).getCheckpoint();
      Files.delete(directory.resolve("models/m/checkpoints/" + newest + "/manifest.json"));
      crash();
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(2);
      assertThat(client.getModel("m").getIncarnation())
          .isEqualTo(model.description().getIncarnation());
      steps(model, 5);
      assertUntouched(model, 5);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 4})
  void anOpenStepGoesOnWhereverTheCrashComes(long every) {
    try (ModelHandle model = client.createModel(every(every).build())) {
      for (int at = 0; at < 5; at++) {
        steps(model, model.nextStep());
        StepResult result = crashDuring(model, at);
        assertThat(result.report().getStep()).isEqualTo(model.nextStep() - 1);
      }
      assertUntouched(model, 10);
      crash();
      assertUntouched(model, 10);
    }
  }

  /**
   * @param at before which part of the step the crash comes
   */
  private StepResult crashDuring(ModelHandle model, int at) {
    Map<String, Tensor> gradients = gradients(model.nextStep());
    Runnable[] parts = new Runnable[4];
    OpenStep[] step = new OpenStep[1];
    StepResult[] result = new StepResult[1];
    parts[0] = () -> step[0] = model.openStep();
    parts[1] = () -> step[0].fill(Map.of("w", gradients.get("w")));
    parts[2] = () -> step[0].fill(Map.of("v", gradients.get("v")));
    parts[3] = () -> result[0] = step[0].commit(StepOptions.learningRate(0.25));
    for (int i = 0; i < parts.length; i++) {
      if (i == at) {
        crash();
      }
      parts[i].run();
    }
    return result[0];
  }

  @Test
  void twoFillsAtATimeMeetOneCrash() {
    try (ModelHandle model = client.createModel(every(4).build())) {
      steps(model, 6);
      OpenStep step = model.openStep();
      crash();
      Map<String, Tensor> gradients = gradients(7);
      CompletableFuture<?> first = step.fillAsync(Map.of("w", gradients.get("w")));
      CompletableFuture<?> second = step.fillAsync(Map.of("v", gradients.get("v")));
      first.join();
      second.join();
      step.commit(StepOptions.learningRate(0.25));
      assertUntouched(model, 7);
    }
  }

  @Test
  void anAbortedStepStaysAborted() {
    try (ModelHandle model = client.createModel(every(4).build())) {
      OpenStep step = model.openStep();
      step.fill(Map.of("w", w));
      step.abort();
      assertThatThrownBy(() -> step.fill(Map.of("v", v))).satisfies(is(ErrorReason.STEP_NOT_OPEN));
    }
  }

  private static Consumer<Throwable> is(ErrorReason reason) {
    return failure ->
        assertThat(failure)
            .isInstanceOfSatisfying(
                MuondException.class, e -> assertThat(e.is(reason)).as(e.reason()).isTrue());
  }

  @Test
  void whatSomebodyRestoresIsNotUndone() {
    try (ModelHandle model = client.createModel(every(2).build())) {
      steps(model, 5);
      client.restoreCheckpoint("m", client.listCheckpoints("m").get(1).getCheckpoint());
      assertThatThrownBy(() -> step(model)).satisfies(is(ErrorReason.MODEL_REWOUND));
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(2);
      // It stays so after a crash.
      crash();
      assertThatThrownBy(() -> step(model)).satisfies(is(ErrorReason.MODEL_REWOUND));
      assertThat(model.readWeights().step()).isEqualTo(2);
      assertThat(model.refresh().getCommittedStep()).isEqualTo(2);
      steps(model, 5);
      crash();
      assertUntouched(model, 5);
    }
  }

  @Test
  void aModelThatSomebodySteppedAfterTheCrashIsLeftToThem() {
    try (ModelHandle model = client.createModel(every(4).build());
        ModelHandle other = client.openModel("m")) {
      steps(model, 6);
      crash();
      other.refresh();
      other.step(gradients(99), 0.25);
      assertThatThrownBy(() -> step(model)).satisfies(is(ErrorReason.MODEL_REWOUND));
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(5);
    }
  }

  @Test
  void pastTheLimitACheckpointIsAskedFor() {
    limit(2 * STEP);
    try (ModelHandle model = client.createModel(every(100).build())) {
      steps(model, 2);
      assertThat(saved()).containsExactly(0L);
      steps(model, 4);
      assertThat(saved()).containsExactly(2L, 0L);
      steps(model, 7);
      assertThat(saved()).containsExactly(6L, 4L);
      crash();
      assertUntouched(model, 7);
    }
  }

  private List<Long> saved() {
    return client.listCheckpoints("m").stream().map(Checkpoint::getStep).toList();
  }

  @Test
  void aStepLargerThanTheLimitIsAnsweredOnceItIsDurable() {
    limit(STEP - 1);
    try (ModelHandle model = client.createModel(every(100).build())) {
      for (int i = 1; i <= 3; i++) {
        step(model);
        assertThat(saved().get(0)).isEqualTo(i);
        crash();
      }
      assertUntouched(model, 3);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 0})
  void withoutADiskTheLimitIsTheEndAndSaysWhatIsDurable(int less) throws IOException {
    limit(STEP - less);
    try (ModelHandle model = client.createModel(every(100).build())) {
      steps(model, 1 - less);
      Path checkpoints = directory.resolve("models/m/checkpoints");
      Path aside = directory.resolve("aside");
      Files.move(checkpoints, aside);
      Files.createFile(checkpoints);
      assertThatThrownBy(() -> step(model))
          .satisfies(is(ErrorReason.STORAGE_FAILED))
          .hasMessageContaining("the durable step 0")
          .hasMessageContaining("the replay limit of " + (STEP - less) + " bytes");
      assertThat(model.nextStep()).isEqualTo(2 - less);
      Files.delete(checkpoints);
      Files.move(aside, checkpoints);
      steps(model, 3);
      crash();
      assertUntouched(model, 3);
    }
  }

  @Test
  void withoutADataDirectoryTheLimitIsTheEnd() {
    limit(STEP);
    server.close();
    server = serve(Optional.empty());
    proxy.cut();
    proxy.setTarget(server.server().port());
    try (ModelHandle model = client.createModel(small("m").build())) {
      step(model);
      assertThatThrownBy(() -> step(model))
          .satisfies(is(ErrorReason.NO_DATA_DIRECTORY))
          .hasMessageContaining("since the first step")
          .hasMessageContaining("the replay limit of " + STEP + " bytes");
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(1);
    }
  }

  @Test
  void modelsSavedOnRequestAreReplayedIfThatWasAskedFor() {
    limit(1 << 20);
    try (ModelHandle model = client.createModel(small("m").build())) {
      steps(model, 2);
      client.saveCheckpoint("m");
      steps(model, 5);
      crash();
      assertUntouched(model, 5);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void withoutALogARollBackIsTold(boolean onRequest) {
    if (!onRequest) {
      limit(0);
    }
    try (ModelHandle model = client.createModel((onRequest ? small("m") : every(4)).build())) {
      steps(model, 4);
      client.saveCheckpoint("m");
      steps(model, 5);
      crash();
      assertThatThrownBy(() -> step(model)).satisfies(is(ErrorReason.MODEL_REWOUND));
      assertThat(model.readWeights().step()).isEqualTo(4);
      assertThat(model.refresh().getCommittedStep()).isEqualTo(4);
      steps(model, 6);
      assertUntouched(model, 6);
    }
  }

  @Test
  void aRollBackBeyondWhatIsKeptIsToldWithTheLimit() throws IOException {
    limit(4 * STEP);
    try (ModelHandle model = client.createModel(every(4).build())) {
      steps(model, 9);
      flipNewest();
      crash();
      assertThatThrownBy(() -> step(model))
          .satisfies(is(ErrorReason.MODEL_REWOUND))
          .hasMessageContaining("it went back to step 4")
          .hasMessageContaining("replay limit: " + 4 * STEP + " bytes");
    }
  }

  @Test
  void everyWorkerSendsItsPartAgain() {
    CreateModelRequest request = every(3).addWorkers("a").addWorkers("b").build();
    try (ModelHandle model = client.createModel(request);
        ModelHandle a = model.asWorker("a", 0.5);
        ModelHandle b = model.asWorker("b", 0.5)) {
      for (int step = 1; step <= 8; step++) {
        stepBoth(a, b);
        if (step % 2 == 1) {
          crash();
        }
      }
      Weights weights = a.readWeights();
      assertThat(weights.step()).isEqualTo(8);
      try (ModelHandle twin = client.createModel(small("twin").build())) {
        steps(twin, 8);
        // Two halves of the same gradient make the gradient, exactly.
        assertThat(values(weights)).isEqualTo(values(twin.readWeights()));
      }
    }
  }

  private void stepBoth(ModelHandle a, ModelHandle b) {
    Map<String, Tensor> same = gradients(a.nextStep());
    StepOptions options = StepOptions.learningRate(0.25);
    CompletableFuture<StepResult> first = a.stepAsync(same, options);
    CompletableFuture<StepResult> second = b.stepAsync(same, options);
    assertThat(first.join().report()).isEqualTo(second.join().report());
  }

  @Test
  void aStepSaysWhatIsDurable() {
    try (ModelHandle model = client.createModel(every(2).build())) {
      assertThat(step(model).durableStep()).hasValue(0);
      assertThat(step(model).durableStep()).hasValue(2);
    }
    try (ModelHandle model = client.createModel(small("n").build())) {
      assertThat(model.step(gradients(1), 0.25).durableStep()).isEmpty();
    }
  }
}
