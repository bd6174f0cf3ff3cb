package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
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
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The Java library on a server that goes down without a word, and comes back. */
@Timeout(60)
abstract class ReplayFixture {
  /** Bytes of one step's gradients: w (4, 3) and v (5). */
  static final long STEP = 4 * (4 * 3 + 5);

  @TempDir Path directory;

  TestServer server;
  FaultyProxy proxy;
  MuondClient client;
  final Tensor w = Tensor.zeros(4, 3);
  final Tensor v = Tensor.zeros(5);

  @BeforeEach
  void start() throws IOException {
    server = serve(Optional.of(directory));
    proxy = new FaultyProxy(server.server().port());
    client = MuondClient.connect(proxy.address());
  }

  static TestServer serve(Optional<Path> data) {
    return new TestServer(Duration.ofSeconds(30), Duration.ofMillis(20), data);
  }

  @AfterEach
  void stop() throws IOException {
    client.close();
    proxy.close();
    server.close();
  }

  void limit(long bytes) {
    client.close();
    client = MuondClient.builder(proxy.address()).replayLimit(bytes).build();
  }

  /** What is not on disk is gone. */
  void crash() {
    server.close();
    server = serve(Optional.of(directory));
    proxy.cut();
    proxy.setTarget(server.server().port());
  }

  static CreateModelRequest.Builder every(long steps) {
    return small("m").setDurability(Durability.newBuilder().setEverySteps(steps));
  }

  /** The gradients of a step, in the same arrays for all: nobody may count on the last ones. */
  Map<String, Tensor> gradients(long step) {
    Random random = new Random(step);
    for (Tensor tensor : List.of(w, v)) {
      for (int i = 0; i < tensor.values().length; i++) {
        tensor.values()[i] = (float) random.nextGaussian();
      }
    }
    return Map.of("w", w, "v", v);
  }

  StepResult step(ModelHandle model) {
    long number = model.nextStep();
    StepResult result = model.step(gradients(number), 0.25);
    assertThat(result.report().getStep()).isEqualTo(number);
    assertThat(model.nextStep()).isEqualTo(number + 1);
    return result;
  }

  void steps(ModelHandle model, long until) {
    while (model.nextStep() <= until) {
      step(model);
    }
  }

  static Map<String, List<Float>> values(Weights weights) {
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
  void assertUntouched(ModelHandle model, long step) {
    Weights weights = model.readWeights();
    assertThat(weights.step()).isEqualTo(step);
    try (ModelHandle twin = client.createModel(small("twin").build())) {
      steps(twin, step);
      assertThat(values(weights)).isEqualTo(values(twin.readWeights()));
      client.deleteModel("twin", false);
    }
    assertThat(client.getModel("m").getCommittedStep()).isEqualTo(step);
  }

  void flipNewest() throws IOException {
    Checkpoint newest = client.listCheckpoints("m").get(0);
    Path file =
        directory.resolve(
            "models/m/checkpoints/" + newest.getCheckpoint() + "/weights.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 3] ^= 4;
    Files.write(file, bytes);
  }

  static Consumer<Throwable> is(ErrorReason reason) {
    return failure ->
        assertThat(failure)
            .isInstanceOfSatisfying(
                MuondException.class, e -> assertThat(e.is(reason)).as(e.reason()).isTrue());
  }
}
