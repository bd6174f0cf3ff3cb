package io.muond.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Duration;
import io.grpc.Status;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.ErrorReason;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.Upload;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The library against a fake server, over TCP, with connections cut at chosen points. */
@Timeout(60)
class ModelHandleTest {
  private FakeServer server;
  private CuttingProxy proxy;
  private MuondClient client;

  @BeforeEach
  void start() throws IOException {
    server = new FakeServer();
    proxy = new CuttingProxy(server.port());
    client =
        MuondClient.builder(proxy.address())
            .chunkSize(Chunker.BLOCK)
            .reconnectTimeout(java.time.Duration.ofSeconds(5))
            .build();
  }

  @AfterEach
  void stop() throws IOException {
    client.close();
    proxy.close();
    server.close();
  }

  static CreateModelRequest.Builder request(String name, long... shape) {
    Parameter.Builder parameter = Parameter.newBuilder().setName("w");
    for (long size : shape) {
      parameter.addShape(size);
    }
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setParameters(ParameterList.newBuilder().addParameters(parameter))
        .setSeed(1);
  }

  private static Tensor random(long... shape) {
    Tensor tensor = Tensor.zeros(shape);
    Random random = new Random(7);
    for (int i = 0; i < tensor.values().length; i++) {
      tensor.values()[i] = (float) random.nextGaussian();
    }
    return tensor;
  }

  private void cutOnceAt(String point) {
    AtomicBoolean cut = new AtomicBoolean();
    server.disturb(
        at -> {
          if (at.equals(point) && cut.compareAndSet(false, true)) {
            proxy.cut();
          }
        });
  }

  @Test
  void aTinyStepIsOneMessageAndStepsShareOneCall() {
    try (ModelHandle model = client.createModel(request("m", 4, 3).build())) {
      for (int i = 0; i < 5; i++) {
        StepResult result = model.step(Map.of("w", random(4, 3)), 0.1);
        assertThat(result.report().getStep()).isEqualTo(i + 1);
        assertThat(result.weights()).isEmpty();
      }
      assertThat(server.stepMessages).hasValue(5);
      assertThat(server.stepCalls).hasValue(1);
      assertThat(model.nextStep()).isEqualTo(6);
    }
  }

  @Test
  void weightsGoUpAndComeBackBitForBit() {
    CreateModelRequest request =
        request("m", 700, 301).setUpload(Upload.getDefaultInstance()).build();
    Tensor weights = random(700, 301);
    try (ModelHandle model = client.createModel(request)) {
      model.writeWeights(Map.of("w", weights));
      assertThat(model.readWeights().tensors().get("w").values()).isEqualTo(weights.values());
      StepResult step =
          model.step(
              Map.of("w", Tensor.zeros(700, 301)),
              StepOptions.learningRate(0.5).withReturnedWeights());
      assertThat(step.weights().get("w").values()).isEqualTo(weights.values());
      assertThat(step.weights().get("w").shape()).containsExactly(700, 301);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"open", "chunk", "commit", "committed"})
  void aStepWhoseConnectionIsCutCountsOnce(String point) {
    Tensor gradient = random(300, 200);
    try (ModelHandle model = client.createModel(request("m", 300, 200).build())) {
      model.step(Map.of("w", gradient), 0.5);
      cutOnceAt(point);
      StepResult result = model.step(Map.of("w", gradient), 0.5);
      assertThat(result.report().getStep()).isEqualTo(2);
      assertThat(proxy.connections()).isEqualTo(2);
      float[] expected = gradient.values().clone();
      for (int i = 0; i < expected.length; i++) {
        float once = 0 - 0.5f * expected[i];
        expected[i] = once - 0.5f * gradient.values()[i];
      }
      assertThat(model.readWeights().tensors().get("w").values()).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"nowhere", "chunk", "committed"})
  void anOpenStepIsFilledInPiecesAndCountsOnce(String point) {
    Tensor gradient = random(300, 200);
    try (ModelHandle model = client.createModel(request("m", 300, 200).build())) {
      cutOnceAt(point);
      OpenStep step = model.openStep();
      assertThat(step.fill(Map.of("w", gradient)).getReceivedBytes()).isEqualTo(240_000);
      assertThat(step.commit(StepOptions.learningRate(1)).report().getStep()).isEqualTo(1);
      assertThat(model.nextStep()).isEqualTo(2);
      assertThat(model.readWeights().tensors().get("w").values()[7])
          .isEqualTo(-gradient.values()[7]);
      assertThat(model.openStep().abort().getNextStep()).isEqualTo(2);
    }
  }

  @Test
  void aReadThatIsCutStartsOver() {
    try (ModelHandle model = client.createModel(request("m", 600, 300).build())) {
      model.step(Map.of("w", random(600, 300)), 1);
      cutOnceAt("read");
      Weights weights = model.readWeights();
      assertThat(weights.step()).isEqualTo(1);
      assertThat(weights.tensors().get("w").values()[5]).isEqualTo(-random(600, 300).values()[5]);
    }
  }

  @Test
  void anUploadThatIsCutIsNotRepeated() {
    try (ModelHandle model = client.createModel(request("m", 300, 300).build())) {
      cutOnceAt("write");
      assertThatThrownBy(() -> model.writeWeights(Map.of("w", random(300, 300))))
          .isInstanceOfSatisfying(
              MuondException.class,
              e -> {
                assertThat(e.code()).isEqualTo(Status.Code.UNAVAILABLE);
                assertThat(e).hasMessageContaining("may or may not have taken effect");
              });
    }
  }

  @Test
  void creationIsNotRepeatedOnceItWasSent() {
    cutOnceAt("create");
    assertThatThrownBy(() -> client.createModel(request("m", 2, 2).build()))
        .isInstanceOf(MuondException.class)
        .hasMessageContaining("may or may not");
  }

  @Test
  void creationWaitsForAServerThatIsNotThereYet() throws IOException {
    int port = proxy.port();
    proxy.close();
    var creation = client.createModelAsync(request("m", 2, 2).build());
    proxy = new CuttingProxy(server.port(), port);
    assertThat(Futures.await(creation).name()).isEqualTo("m");
  }

  @Test
  void errorsCarryReasonAndMetadata() {
    assertThatThrownBy(() -> client.openModel("nobody"))
        .isInstanceOfSatisfying(
            MuondException.class,
            e -> {
              assertThat(e.code()).isEqualTo(Status.Code.NOT_FOUND);
              assertThat(e.is(ErrorReason.MODEL_NOT_FOUND)).isTrue();
              assertThat(e.metadata("model")).contains("nobody");
              assertThat(e).hasMessage("model: \"nobody\" (expected: an existing model)");
            });
  }

  @Test
  void aRefusedStepLeavesTheHandleUsable() {
    try (ModelHandle model = client.createModel(request("m", 2, 2).build())) {
      Tensor bad = Tensor.of(new float[] {1, Float.NaN, 3, 4}, 2, 2);
      assertThatThrownBy(() -> model.step(Map.of("w", bad), 0.1))
          .isInstanceOfSatisfying(
              MuondException.class, e -> assertThat(e.is(ErrorReason.NOT_FINITE)).isTrue());
      assertThat(model.step(Map.of("w", random(2, 2)), 0.1).report().getStep()).isEqualTo(1);
    }
  }

  @Test
  void dataThatCannotBeReadFailsTheStepWithItsCause() {
    TensorData broken =
        new TensorData() {
          @Override
          public long[] shape() {
            return new long[] {2, 2};
          }

          @Override
          public io.muond.v1.DataType dataType() {
            return io.muond.v1.DataType.DATA_TYPE_FLOAT32;
          }

          @Override
          public long byteSize() {
            return 16;
          }

          @Override
          public void read(long offset, ByteBuffer into) throws IOException {
            throw new IOException("disk on fire");
          }
        };
    try (ModelHandle model = client.createModel(request("m", 2, 2).build())) {
      assertThatThrownBy(() -> model.step(Map.of("w", broken), 0.1))
          .isInstanceOf(MuondException.class)
          .hasMessageContaining("disk on fire");
      assertThatThrownBy(() -> model.writeWeights(Map.of("w", broken)))
          .isInstanceOf(MuondException.class)
          .hasMessageContaining("disk on fire");
      assertThat(model.step(Map.of("w", random(2, 2)), 0.1).report().getStep()).isEqualTo(1);
    }
  }

  @Test
  void aServerThatIsNotThereIsGivenUpInTime() throws IOException {
    server.close();
    proxy.close();
    try (MuondClient impatient =
        MuondClient.builder(proxy.address())
            .reconnectTimeout(java.time.Duration.ofMillis(400))
            .build()) {
      long start = System.nanoTime();
      assertThatThrownBy(impatient::listModels)
          .isInstanceOf(MuondException.class)
          .hasMessageContaining("cannot reach the server " + proxy.address())
          .hasMessageContaining("gave up after 0.4");
      assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(5));
    }
  }

  @Test
  void aHostThatTakesConnectionsButSaysNothingIsGivenUpInTime() throws IOException {
    try (ServerSocket mute = new ServerSocket(0, 8, InetAddress.getLoopbackAddress());
        MuondClient impatient =
            MuondClient.builder("127.0.0.1:" + mute.getLocalPort())
                .reconnectTimeout(java.time.Duration.ofSeconds(2))
                .build()) {
      long start = System.nanoTime();
      assertThatThrownBy(impatient::listModels)
          .isInstanceOf(MuondException.class)
          .hasMessageContaining("it does not answer (gave up after 2");
      assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(10));
    }
  }

  @Test
  void aLeaseIsRenewedWhileTheHandleIsOpen() throws InterruptedException {
    CountDownLatch renewals = new CountDownLatch(3);
    server.disturb(
        at -> {
          if (at.equals("renew")) {
            renewals.countDown();
          }
        });
    CreateModelRequest request =
        request("m", 2, 2).setLeaseTtl(Duration.newBuilder().setNanos(300_000_000)).build();
    try (ModelHandle model = client.createModel(request)) {
      assertThat(renewals.await(10, TimeUnit.SECONDS)).isTrue();
      assertThat(model.name()).isEqualTo("m");
    }
  }

  @Test
  void aSecondStepWhileOneRunsIsRefused() throws InterruptedException {
    CountDownLatch release = new CountDownLatch(1);
    server.disturb(
        at -> {
          if (at.equals("commit")) {
            awaitOrFail(release);
          }
        });
    try (ModelHandle model = client.createModel(request("m", 2, 2).build())) {
      var first = model.stepAsync(Map.of("w", random(2, 2)), StepOptions.learningRate(0.1));
      assertThatThrownBy(() -> model.step(Map.of("w", random(2, 2)), 0.1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("step 1 is still running");
      release.countDown();
      assertThat(Futures.await(first).report().getStep()).isEqualTo(1);
    }
  }

  @Test
  void aCancelledStepCanBeRepeated() {
    CountDownLatch release = new CountDownLatch(1);
    server.disturb(
        at -> {
          if (at.equals("committed")) {
            awaitOrFail(release);
          }
        });
    try (ModelHandle model = client.createModel(request("m", 2, 2).build())) {
      var first = model.stepAsync(Map.of("w", random(2, 2)), StepOptions.learningRate(0.1));
      first.cancel(true);
      release.countDown();
      assertThat(model.step(Map.of("w", random(2, 2)), 0.1).report().getStep()).isEqualTo(1);
    }
  }

  private static void awaitOrFail(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
