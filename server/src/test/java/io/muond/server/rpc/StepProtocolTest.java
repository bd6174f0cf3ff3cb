package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import io.grpc.stub.StreamObserver;
import io.muond.v1.AbortStepRequest;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.CommitStepResponse;
import io.muond.v1.DataType;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.Model;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.ParameterList;
import io.muond.v1.StepHeader;
import io.muond.v1.StepReport;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class StepProtocolTest {
  private TestServer server;
  private TestClient client;
  private Model model;

  @BeforeEach
  void start() {
    server = new TestServer();
    client = server.client();
    model = client.create(small("m"));
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void aStepInOneMessageMovesTheWeights() {
    float before = TestClient.first(client.weights("m").get(0));
    StepReport report = client.step(model, 1, 2);
    assertThat(report.getStep()).isEqualTo(1);
    assertThat(report.getIncarnation()).isEqualTo(model.getIncarnation());
    assertThat(report.getRepeatedStep()).isFalse();
    assertThat(report.hasDurableStep()).isFalse();
    assertThat(report.getParametersList()).extracting(p -> p.getName()).containsExactly("w", "v");
    assertThat(report.getParameters(0).getLearningRate()).isEqualTo(0.25);
    assertThat(TestClient.first(client.weights("m").get(0))).isEqualTo(before - 0.5f);
  }

  @Test
  void momentumGoesOnFromStepToStep() {
    float before = TestClient.first(client.weights("m").get(0));
    client.step(model, 1, 2);
    client.step(model, 2, 2);
    client.step(model, 3, 0);
    // M: 2, 3, 1.5, times 0.25.
    assertThat(TestClient.first(client.weights("m").get(0))).isEqualTo(before - 6.5f / 4);
  }

  @Test
  void groupsHaveLearningRatesOfTheirOwn() {
    StepReport report =
        client.step(
            whole(
                header(model, 1),
                gradients(model, 1),
                options().toBuilder().putGroupLearningRates("v", 0.125).build()));
    assertThat(report.getParameters(0).getLearningRate()).isEqualTo(0.25);
    assertThat(report.getParameters(1).getLearningRate()).isEqualTo(0.125);
  }

  @Test
  void aRepeatReturnsTheStoredReportAndChangesNothing() {
    StepReport first = client.step(model, 1, 2);
    List<ByteString> weights = client.weights("m");
    StepReport again = client.step(model, 1, 2);
    assertThat(again).isEqualTo(first.toBuilder().setRepeatedStep(true).build());
    assertThat(client.weights("m")).isEqualTo(weights);
    client.step(model, 2, 1);
    assertThat(refusal(() -> client.step(model, 1, 2))).isEqualTo("FAILED_PRECONDITION/STEP_GAP");
  }

  @Test
  void aRepeatWithAnythingElseIsAConflict() {
    client.step(model, 1, 2);
    List<ByteString> weights = client.weights("m");
    String conflict = "ABORTED/STEP_CONFLICT";
    assertThat(refusal(() -> client.step(model, 1, 3))).isEqualTo(conflict);
    assertThat(
            refusal(
                () ->
                    client.step(
                        whole(
                            header(model, 1),
                            gradients(model, 2),
                            options().toBuilder().setLearningRate(0.5).build()))))
        .isEqualTo(conflict);
    StepHeader weighted = header(model, 1).toBuilder().setWeight(2).build();
    assertThat(refusal(() -> client.step(whole(weighted, gradients(model, 2), options()))))
        .isEqualTo(conflict);
    assertThat(client.weights("m")).isEqualTo(weights);
    assertThat(client.step(model, 1, 2).getRepeatedStep()).isTrue();
  }

  @Test
  void aGapNamesTheExpectedStep() {
    for (long step : new long[] {-1, 0, 2, 3, Long.MAX_VALUE}) {
      Throwable failure = catchThrowable(() -> client.step(model, step, 1));
      ErrorInfo info = info(failure);
      assertThat(info.getReason()).isEqualTo("STEP_GAP");
      assertThat(info.getMetadataMap()).containsEntry("expected", "1").containsEntry("model", "m");
    }
  }

  @Test
  void aStaleIncarnationNamesTheStepToContinueFrom() {
    client.step(model, 1, 1);
    client.write("m", gradients(model, 1));
    ErrorInfo info = info(catchThrowable(() -> client.step(model, 2, 1)));
    assertThat(info.getReason()).isEqualTo("MODEL_REWOUND");
    assertThat(info.getMetadataMap())
        .containsEntry("incarnation", client.get("m").getIncarnation())
        .containsEntry("next_step", "2")
        .containsEntry("durable_step", "");
    client.step(client.get("m"), 2, 1);
  }

  @Test
  void openFillCommitOverSeveralCalls() {
    StepHeader header = header(model, 1);
    assertThat(client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header).build()))
        .matches(r -> !r.getAlreadyCommitted())
        .matches(r -> r.getExpiresAfter().getSeconds() == 30);
    FillStepResponse half = fill(header, gradients(model, 1).subList(0, 1));
    assertThat(half.getReceivedBytes()).isEqualTo(48);
    assertThat(half.getMissingBytes()).isEqualTo(20);
    assertThat(fill(header, gradients(model, 1)).getMissingBytes()).isZero();
    List<CommitStepResponse> answers = commit(header);
    assertThat(answers).hasSize(1);
    StepReport report = answers.get(0).getReport();
    // And again, as after a lost answer.
    assertThat(
            client
                .steps()
                .openStep(OpenStepRequest.newBuilder().setHeader(header).build())
                .getAlreadyCommitted())
        .isTrue();
    fill(header, gradients(model, 1));
    assertThat(commit(header).get(0).getReport())
        .isEqualTo(report.toBuilder().setRepeatedStep(true).build());
  }

  private FillStepResponse fill(StepHeader header, List<TensorChunk> chunks) {
    Collector<FillStepResponse> answers = new Collector<>();
    StreamObserver<FillStepRequest> call =
        StepServiceGrpc.newStub(client.channel).fillStep(answers);
    call.onNext(FillStepRequest.newBuilder().setHeader(header).build());
    chunks.forEach(c -> call.onNext(FillStepRequest.newBuilder().addChunks(c).build()));
    call.onCompleted();
    return answers.await().get(0);
  }

  private List<CommitStepResponse> commit(StepHeader header) {
    List<CommitStepResponse> answers = new ArrayList<>();
    client
        .steps()
        .commitStep(CommitStepRequest.newBuilder().setHeader(header).setOptions(options()).build())
        .forEachRemaining(answers::add);
    return answers;
  }

  @Test
  void nothingIsFilledOrCommittedThatWasNotOpened() {
    String notOpen = "FAILED_PRECONDITION/STEP_NOT_OPEN";
    StepHeader header = header(model, 1);
    assertThat(refusal(() -> fill(header, gradients(model, 1)))).isEqualTo(notOpen);
    assertThat(refusal(() -> commit(header))).isEqualTo(notOpen);
    client.step(model, 1, 1);
    assertThat(refusal(() -> commit(header))).isEqualTo(notOpen);
  }

  @Test
  void anAbortedStepLeavesEverythingAsItWas() {
    List<ByteString> weights = client.weights("m");
    StepHeader header = header(model, 1);
    client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header).build());
    fill(header, gradients(model, 9));
    assertThat(client.get("m").getOpenStep()).isEqualTo(1);
    assertThat(
            client
                .steps()
                .abortStep(AbortStepRequest.newBuilder().setHeader(header).build())
                .getNextStep())
        .isEqualTo(1);
    assertThat(client.get("m").hasOpenStep()).isFalse();
    assertThat(client.weights("m")).isEqualTo(weights);
    client.step(model, 1, 1);
    assertThat(
            refusal(
                () ->
                    client
                        .steps()
                        .abortStep(AbortStepRequest.newBuilder().setHeader(header).build())))
        .isEqualTo("FAILED_PRECONDITION/STEP_NOT_OPEN");
  }

  @Test
  void manyStepsFollowEachOtherInOneCallWithTheirWeights() {
    int steps = 50;
    List<StepRequest> messages = new ArrayList<>();
    for (int i = 1; i <= steps; i++) {
      messages.add(
          whole(
              header(model, i),
              gradients(model, 1),
              options().toBuilder().setReturnWeights(DataType.DATA_TYPE_FLOAT32).build()));
    }
    List<StepResponse> answers = client.stepMessages(messages.toArray(StepRequest[]::new));
    assertThat(answers).hasSize(3 * steps);
    for (int i = 0; i < steps; i++) {
      assertThat(answers.get(3 * i).getReport().getStep()).isEqualTo(i + 1);
      assertThat(answers.get(3 * i + 1).getChunk().getParameter()).isEqualTo("w");
      assertThat(answers.get(3 * i + 2).getChunk().getParameter()).isEqualTo("v");
    }
    assertThat(answers.get(3 * steps - 2).getChunk().getData())
        .isEqualTo(client.weights("m").get(0));
  }

  @Test
  void chunksInAnyOrderAndManyTimesGiveTheSameBits() {
    Model large = client.create(small("large").setParameters(large()));
    Model shuffled = client.create(small("shuffled").setParameters(large()));
    List<TensorChunk> chunks = gradients(large, 3);
    client.step(whole(header(large, 1), chunks, options()));
    List<TensorChunk> mixed = new ArrayList<>(chunks);
    mixed.addAll(chunks.subList(0, 3));
    Collections.shuffle(mixed, new Random(1));
    List<StepRequest> messages = new ArrayList<>();
    messages.add(StepRequest.newBuilder().setOpen(header(shuffled, 1)).build());
    mixed.forEach(c -> messages.add(StepRequest.newBuilder().addChunks(c).build()));
    messages.add(StepRequest.newBuilder().setCommit(options()).build());
    client.step(messages.toArray(StepRequest[]::new));
    assertThat(client.weights("shuffled")).isEqualTo(client.weights("large"));
    // The digest too: the other order is a repeat.
    assertThat(client.step(whole(header(shuffled, 1), chunks, options())).getRepeatedStep())
        .isTrue();
  }

  private static ParameterList large() {
    return ParameterList.newBuilder()
        .addParameters(TestClient.parameter("w", 300, 400))
        .addParameters(TestClient.parameter("x", 2, 128, 128))
        .build();
  }

  @Test
  void aFailureWithinAStepLeavesEverythingAsItWas() {
    client.step(model, 1, 1);
    List<ByteString> weights = client.weights("m");
    server.optimizer.failure = new IllegalStateException("planned");
    Throwable failure = catchThrowable(() -> client.step(model, 2, 5));
    assertThat(info(failure).getReason()).isEqualTo("INTERNAL_FAULT");
    assertThat(failure).hasMessageNotContaining("planned");
    assertThat(client.weights("m")).isEqualTo(weights);
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
    float before = TestClient.first(weights.get(0));
    client.step(model, 2, 0);
    // Momentum as after step 1: 1, halved, times 0.25.
    assertThat(TestClient.first(client.weights("m").get(0))).isEqualTo(before - 0.125f);
  }
}
