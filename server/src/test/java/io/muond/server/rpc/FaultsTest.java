package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.grpc.stub.StreamObserver;
import io.muond.server.model.StepObserver;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.DataType;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.GetServerInfoRequest;
import io.muond.v1.Model;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.ServerServiceGrpc;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever is thrown inside the server: the client is told what it is, and the model goes on. */
class FaultsTest {
  private static final String FAULT = "INTERNAL/INTERNAL_FAULT";
  private static final String MEMORY = "RESOURCE_EXHAUSTED/HOST_MEMORY";

  private TestServer server;
  private TestClient client;
  private Model model;
  private List<ByteString> weights;

  static Stream<Arguments> faults() {
    return Stream.of(
        Arguments.of(new OutOfMemoryError("planned"), MEMORY),
        Arguments.of(new StackOverflowError("planned"), FAULT),
        Arguments.of(new AssertionError("planned"), FAULT),
        Arguments.of(new NoClassDefFoundError("planned"), FAULT),
        Arguments.of(new IllegalStateException("planned"), FAULT));
  }

  @BeforeEach
  void start() {
    server = new TestServer();
    client = server.client();
    model = client.create(small("m"));
    weights = client.weights("m");
  }

  /** Nothing is open, nothing has changed, the next step is taken, and all memory is given back. */
  private void theModelGoesOn() {
    assertThat(client.get("m").hasOpenStep()).isFalse();
    assertThat(client.weights("m")).isEqualTo(weights);
    assertThat(client.step(model, 1, 1).getRepeatedStep()).isFalse();
  }

  @AfterEach
  void stop() {
    client.models().deleteModel(DeleteModelRequest.newBuilder().setModel("m").build());
    assertThat(server.engine.allocatedBytes()).isZero();
    server.close();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void whileAStepComputes(Throwable fault, String told) {
    server.optimizer.failure = fault;
    assertThat(refusal(() -> client.step(model, 1, 1))).isEqualTo(told);
    theModelGoesOn();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void whileAStepIsFilled(Throwable fault, String told) {
    server.faults.plan("receive", fault);
    assertThat(refusal(() -> client.step(model, 1, 1))).isEqualTo(told);
    theModelGoesOn();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void whileAnotherCallFillsAStep(Throwable fault, String told) {
    StepHeader header = header(model, 1);
    client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header).build());
    server.faults.plan("receive", fault);
    assertThat(refusal(() -> fill(header))).isEqualTo(told);
    // The step is open still, and can be filled again.
    assertThat(fill(header).getMissingBytes()).isZero();
    client
        .steps()
        .commitStep(CommitStepRequest.newBuilder().setHeader(header).setOptions(options()).build())
        .forEachRemaining(a -> assertThat(a.getReport().getStep()).isEqualTo(1));
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
  }

  private FillStepResponse fill(StepHeader header) {
    Collector<FillStepResponse> answers = new Collector<>();
    StreamObserver<FillStepRequest> call =
        StepServiceGrpc.newStub(client.channel).fillStep(answers);
    call.onNext(
        FillStepRequest.newBuilder().setHeader(header).addAllChunks(gradients(model, 1)).build());
    call.onCompleted();
    return answers.await().get(0);
  }

  @ParameterizedTest
  @MethodSource("faults")
  void whileWeightsAreUploaded(Throwable fault, String told) {
    server.faults.plan("receive", fault);
    assertThat(refusal(() -> client.write("m", gradients(model, 1)))).isEqualTo(told);
    server.optimizer.failure = fault;
    assertThat(refusal(() -> client.write("m", gradients(model, 1)))).isEqualTo(told);
    theModelGoesOn();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void whileWeightsAreRead(Throwable fault, String told) {
    server.faults.plan("send", fault);
    assertThat(refusal(() -> client.weights("m"))).isEqualTo(told);
    theModelGoesOn();
  }

  /** The step is committed by then: its repeat is answered. */
  @ParameterizedTest
  @MethodSource("faults")
  void whileWeightsFollowAReport(Throwable fault, String told) {
    var options = options().toBuilder().setReturnWeights(DataType.DATA_TYPE_FLOAT32).build();
    var step = whole(header(model, 1), gradients(model, 1), options);
    server.faults.plan("send", fault);
    assertThat(refusal(() -> client.step(step))).isEqualTo(told);
    assertThat(client.step(step).getRepeatedStep()).isTrue();
    assertThat(client.step(model, 2, 1).getStep()).isEqualTo(2);
  }

  @ParameterizedTest
  @MethodSource("faults")
  void whileAModelIsMade(Throwable fault, String told) {
    long before = server.engine.allocatedBytes();
    server.optimizer.failure = fault;
    assertThat(refusal(() -> client.create(small("n")))).isEqualTo(told);
    assertThat(server.engine.allocatedBytes()).isEqualTo(before);
    client.create(small("n"));
    client.models().deleteModel(DeleteModelRequest.newBuilder().setModel("n").build());
    theModelGoesOn();
  }

  @ParameterizedTest
  @MethodSource("faults")
  void whileASimpleCallIsAnswered(Throwable fault, String told) {
    var stub = ServerServiceGrpc.newBlockingStub(client.channel);
    server.faults.plan("kind", fault);
    assertThat(refusal(() -> stub.getServerInfo(GetServerInfoRequest.getDefaultInstance())))
        .isEqualTo(told);
    theModelGoesOn();
  }

  /** The timer goes on: it would never run again after the first error. */
  @Test
  void whileModelsAreLookedAfter() {
    AtomicInteger dropped = new AtomicInteger();
    try (TestServer impatient =
        new TestServer(
            Duration.ofMillis(200), Duration.ofMillis(20), Optional.empty(), observer(dropped))) {
      TestClient other = impatient.client();
      for (int i = 1; i <= 3; i++) {
        Model expiring = other.create(small("m" + i));
        Collector<StepResponse> answers = new Collector<>();
        StepServiceGrpc.newStub(other.channel)
            .step(answers)
            .onNext(StepRequest.newBuilder().setOpen(header(expiring, 1)).build());
        assertThat(refusal(answers::await)).isEqualTo("ABORTED/STEP_EXPIRED");
      }
      assertThat(dropped).hasValue(3);
    }
  }

  private static StepObserver observer(AtomicInteger dropped) {
    return (StepObserver)
        Proxy.newProxyInstance(
            StepObserver.class.getClassLoader(),
            new Class<?>[] {StepObserver.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("dropped")) {
                dropped.incrementAndGet();
                throw new AssertionError("planned");
              }
              return null;
            });
  }
}
