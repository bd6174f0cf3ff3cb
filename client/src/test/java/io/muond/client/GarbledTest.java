package io.muond.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.lite.ProtoLiteUtils;
import io.muond.v1.ErrorReason;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Messages that a connection has made nonsense of are sent, or asked for, again. */
@Timeout(60)
class GarbledTest {
  private FakeServer server;
  private MuondClient client;
  private ModelHandle model;

  @BeforeEach
  void start() throws IOException {
    server = new FakeServer();
    client = MuondClient.builder(server.address()).chunkSize(Chunker.BLOCK).build();
    model = client.createModel(ModelHandleTest.request("m", 300, 200).build());
  }

  @AfterEach
  void stop() {
    model.close();
    client.close();
    server.close();
  }

  private StepResult step(StepOptions options) {
    Tensor gradient = Tensor.zeros(300, 200);
    gradient.values()[0] = 1;
    return model.step(Map.of("w", gradient), options);
  }

  /** How often the server was reached when it says so of the first {@code times} steps. */
  private AtomicInteger refuse(int times) {
    AtomicInteger tries = new AtomicInteger();
    server.disturb(
        point -> {
          if (point.equals("open") && tries.incrementAndGet() <= times) {
            throw FakeErrors.of(
                Status.INVALID_ARGUMENT, ErrorReason.CALL_MALFORMED, "open: nonsense", Map.of());
          }
        });
    return tries;
  }

  @Test
  void whatTheServerCannotUnderstandIsSentAgain() {
    AtomicInteger tries = refuse(4);
    assertThat(step(StepOptions.learningRate(0.5)).report().getStep()).isEqualTo(1);
    assertThat(tries).hasValue(5);
  }

  @Test
  void butNotForEver() {
    AtomicInteger tries = refuse(Integer.MAX_VALUE);
    assertThatThrownBy(() -> step(StepOptions.learningRate(0.5)))
        .isInstanceOf(MuondException.class)
        .hasMessage("open: nonsense");
    assertThat(tries).hasValue(5);
  }

  /** Without a guard the call's end would be lost, and whoever waits for it would wait for ever. */
  @Test
  void detailsOfAnotherStatusAreNotBelieved() {
    Metadata trailers = new Metadata();
    trailers.put(
        Metadata.Key.of(
            "grpc-status-details-bin",
            ProtoLiteUtils.metadataMarshaller(com.google.rpc.Status.getDefaultInstance())),
        com.google.rpc.Status.newBuilder().setCode(Status.Code.NOT_FOUND.value()).build());
    AtomicInteger tries = new AtomicInteger();
    server.disturb(
        point -> {
          if (point.equals("open") && tries.incrementAndGet() <= 2) {
            throw new StatusRuntimeException(Status.INTERNAL.withDescription("x"), trailers);
          }
        });
    assertThat(step(StepOptions.learningRate(0.5)).report().getStep()).isEqualTo(1);
    assertThat(tries).hasValue(3);
  }

  @Test
  void anAnswerThatComesTwiceEndsTheStreamAndNotTheTraining() {
    server.doubleNext("report");
    for (int i = 1; i <= 5; i++) {
      assertThat(step(StepOptions.learningRate(0.5)).report().getStep()).isEqualTo(i);
    }
    assertThat(model.readWeights().step()).isEqualTo(5);
  }

  @Test
  void weightsThatComeTwiceAreReadAgain() {
    float[] straight = model.readWeights().tensors().get("w").values();
    server.doubleNext("chunk");
    assertThat(model.readWeights().tensors().get("w").values()).isEqualTo(straight);
    server.doubleNext("chunk");
    StepResult step = step(StepOptions.learningRate(0).withReturnedWeights());
    assertThat(step.weights().get("w").values()).isEqualTo(straight);
  }
}
