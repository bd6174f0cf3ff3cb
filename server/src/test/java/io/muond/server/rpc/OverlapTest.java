package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.muond.v1.AbortStepRequest;
import io.muond.v1.CommitOptions;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.CommitStepResponse;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DataType;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.OpenStepResponse;
import io.muond.v1.SetWorkersRequest;
import io.muond.v1.SetWorkersResponse;
import io.muond.v1.StepHeader;
import io.muond.v1.StepReport;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The next step is filled while one computes. */
@Timeout(60)
class OverlapTest {
  private TestServer server;
  private TestClient client;
  private Model model;

  @BeforeEach
  void start() {
    start(Duration.ofSeconds(30));
  }

  private void start(Duration stepTimeout) {
    server = new TestServer(stepTimeout, Duration.ofMillis(20), Optional.empty());
    client = server.client();
    model = client.create(overlapping("m"));
  }

  private static CreateModelRequest.Builder overlapping(String name) {
    return small(name).setOverlapSteps(true);
  }

  @AfterEach
  void stop() {
    letGo();
    server.close();
  }

  private StepHeader header(long step) {
    return TestClient.header(model, step);
  }

  private StepRequest whole(long step, float gradient) {
    return TestClient.whole(header(step), gradients(model, gradient), options());
  }

  private Collector<StepResponse> begin(StepRequest... messages) {
    Collector<StepResponse> answers = new Collector<>();
    send(call(answers), messages);
    return answers;
  }

  private ClientCallStreamObserver<StepRequest> call(Collector<StepResponse> answers) {
    return (ClientCallStreamObserver<StepRequest>)
        StepServiceGrpc.newStub(client.channel).step(answers);
  }

  private static void send(StreamObserver<StepRequest> call, StepRequest... messages) {
    for (StepRequest message : messages) {
      call.onNext(message);
    }
  }

  /** Step 1 computes until it is let go on; the answers of its call. */
  private Collector<StepResponse> hold() throws InterruptedException {
    server.optimizer.begun = new CountDownLatch(1);
    server.optimizer.permits.drainPermits();
    Collector<StepResponse> first = begin(whole(1, 1));
    assertThat(server.optimizer.begun.await(10, TimeUnit.SECONDS)).isTrue();
    return first;
  }

  private void letGo() {
    server.optimizer.permits.drainPermits();
    server.optimizer.permits.release(1_000);
  }

  private static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("in time").isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  private float weight(String name) {
    return TestClient.first(client.weights(name).get(0));
  }

  private void open(long step) {
    client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header(step)).build());
  }

  private FillStepResponse fill(long step, float gradient) {
    Collector<FillStepResponse> answer = new Collector<>();
    StreamObserver<FillStepRequest> call = StepServiceGrpc.newStub(client.channel).fillStep(answer);
    call.onNext(
        FillStepRequest.newBuilder()
            .setHeader(header(step))
            .addAllChunks(gradients(model, gradient))
            .build());
    call.onCompleted();
    return answer.first();
  }

  private Collector<CommitStepResponse> commit(long step) {
    Collector<CommitStepResponse> answer = new Collector<>();
    StepServiceGrpc.newStub(client.channel)
        .commitStep(
            CommitStepRequest.newBuilder().setHeader(header(step)).setOptions(options()).build(),
            answer);
    return answer;
  }

  @Test
  void theNextStepIsFilledWhileOneComputes() throws InterruptedException {
    Model straight = client.create(small("straight"));
    client.step(straight, 1, 1);
    client.step(straight, 2, 2);
    Collector<StepResponse> first = hold();
    open(2);
    assertThat(fill(2, 2).getMissingBytes()).isZero();
    Collector<CommitStepResponse> second = commit(2);
    Thread.sleep(50);
    assertThat(client.get("m").getCommittedStep()).isZero();
    assertThat(first.isDone() || second.isDone()).isFalse();
    letGo();
    assertThat(first.first().getReport().getStep()).isEqualTo(1);
    assertThat(second.first().getReport().getStep()).isEqualTo(2);
    assertThat(client.weights("m")).isEqualTo(client.weights("straight"));
  }

  @Test
  void stepsFollowEachOtherInOneCallWithoutWaiting() {
    Model straight = client.create(small("straight"));
    StepRequest[] messages = new StepRequest[40];
    for (int i = 0; i < messages.length; i++) {
      messages[i] = whole(i + 1, i % 7 - 3);
    }
    List<StepResponse> answers = client.stepMessages(messages);
    assertThat(answers.stream().map(a -> a.getReport().getStep()))
        .containsExactlyElementsOf(LongStream.rangeClosed(1, 40).boxed().toList());
    for (int i = 0; i < messages.length; i++) {
      client.step(straight, i + 1, i % 7 - 3);
    }
    assertThat(client.weights("m")).isEqualTo(client.weights("straight"));
  }

  @Test
  void noMoreThanOneStepIsFilledAhead() throws InterruptedException {
    Collector<StepResponse> first = hold();
    Collector<StepResponse> second = begin(whole(2, 1));
    Collector<OpenStepResponse> third = new Collector<>();
    StepServiceGrpc.newStub(client.channel)
        .openStep(OpenStepRequest.newBuilder().setHeader(header(3)).build(), third);
    Thread.sleep(100);
    assertThat(second.isDone() || third.isDone()).isFalse();
    letGo();
    assertThat(first.first().getReport().getStep()).isEqualTo(1);
    assertThat(second.first().getReport().getStep()).isEqualTo(2);
    assertThat(third.first().getAlreadyCommitted()).isFalse();
    assertThat(refusal(() -> open(9))).isEqualTo("FAILED_PRECONDITION/STEP_GAP");
  }

  /** Over two calls of one connection that may well happen. */
  @Test
  void anOpenThatOvertakesTheCommitWaitsForIt() {
    open(1);
    Collector<OpenStepResponse> ahead = new Collector<>();
    StepServiceGrpc.newStub(client.channel)
        .openStep(OpenStepRequest.newBuilder().setHeader(header(2)).build(), ahead);
    fill(1, 1);
    assertThat(ahead.isDone()).isFalse();
    Collector<CommitStepResponse> first = commit(1);
    ahead.await();
    fill(2, 1);
    assertThat(commit(2).first().getReport().getStep()).isEqualTo(2);
    assertThat(first.first().getReport().getStep()).isEqualTo(1);
  }

  @Test
  void anOpenThatOvertakesAnAbortIsRefused() {
    open(1);
    Collector<OpenStepResponse> ahead = new Collector<>();
    StepServiceGrpc.newStub(client.channel)
        .openStep(OpenStepRequest.newBuilder().setHeader(header(2)).build(), ahead);
    client.steps().abortStep(AbortStepRequest.newBuilder().setHeader(header(1)).build());
    assertThat(refusal(ahead::await)).isEqualTo("FAILED_PRECONDITION/STEP_GAP");
  }

  @Test
  void aStepThatFailsTakesTheNextWithIt() throws InterruptedException {
    float before = weight("m");
    Collector<StepResponse> first = hold();
    Collector<StepResponse> sealed = begin(whole(2, 1));
    await(() -> server.models.get("m").stagedBytes() == 2 * 4 * (12 + 5));
    server.optimizer.failure = new IllegalStateException("planned");
    letGo();
    assertThat(refusal(first::await)).isEqualTo("INTERNAL/INTERNAL_FAULT");
    assertThat(refusal(sealed::await)).isEqualTo("ABORTED/STEP_ABORTED");
    assertThat(weight("m")).isEqualTo(before);
    assertThat(client.step(model, 1, 1).getStep()).isEqualTo(1);
    assertThat(weight("m")).isEqualTo(before - 0.25f);
    assertThat(server.models.get("m").stagedBytes()).isZero();
  }

  @Test
  void oneThatLeavesTakesOnlyWhatItHasOpened() throws InterruptedException {
    Collector<StepResponse> first = hold();
    ClientCallStreamObserver<StepRequest> ahead = call(new Collector<>());
    ahead.onNext(
        StepRequest.newBuilder().setOpen(header(2)).addAllChunks(gradients(model, 9)).build());
    await(() -> server.models.get("m").stagedBytes() == 2 * 4 * (12 + 5));
    ahead.cancel("enough", null);
    await(() -> server.models.get("m").stagedBytes() == 4 * (12 + 5));
    letGo();
    first.first();
    assertThat(client.step(model, 2, 1).getStep()).isEqualTo(2);
  }

  @Test
  void theNextStepIsAbortedAlone() throws InterruptedException {
    Collector<StepResponse> first = hold();
    open(2);
    fill(2, 9);
    CompletableFuture<Void> abort =
        CompletableFuture.runAsync(
            () ->
                client
                    .steps()
                    .abortStep(AbortStepRequest.newBuilder().setHeader(header(2)).build()));
    letGo();
    abort.join();
    assertThat(first.first().getReport().getStep()).isEqualTo(1);
    assertThat(client.get("m").hasOpenStep()).isFalse();
    assertThat(client.step(model, 2, 1).getStep()).isEqualTo(2);
  }

  @Test
  void whoWaitsForTheModelComesBeforeTheNextStep() throws InterruptedException {
    Collector<StepResponse> first = hold();
    Collector<StepResponse> second = begin(whole(2, 1));
    await(() -> server.models.get("m").stagedBytes() == 2 * 4 * (12 + 5));
    Collector<SetWorkersResponse> workers = new Collector<>();
    ModelServiceGrpc.newStub(client.channel)
        .setWorkers(SetWorkersRequest.newBuilder().setModel("m").addWorkers("x").build(), workers);
    Thread.sleep(100);
    letGo();
    assertThat(first.first().getReport().getStep()).isEqualTo(1);
    assertThat(workers.first().getNextStep()).isEqualTo(2);
    assertThat(refusal(second::await)).isEqualTo("ABORTED/STEP_ABORTED");
  }

  /** The one that is ready fills its next step while the other has not committed this one. */
  @Test
  void workersOverlapByThemselves() {
    Model shared = client.create(overlapping("shared").addWorkers("a").addWorkers("b"));
    Model alone = client.create(small("alone"));
    for (int step = 1; step <= 6; step++) {
      client.step(alone, step, step + 10 * step);
    }
    Collector<StepResponse> a = new Collector<>();
    ClientCallStreamObserver<StepRequest> callA = call(a);
    Collector<StepResponse> b = new Collector<>();
    ClientCallStreamObserver<StepRequest> callB = call(b);
    for (int step = 1; step <= 6; step++) {
      callA.onNext(part(shared, "a", step, step));
    }
    long one = 4 * (12 + 5);
    await(() -> server.models.get("shared").stagedBytes() == 2 * one);
    for (int step = 1; step <= 6; step++) {
      callB.onNext(part(shared, "b", step, 10 * step));
    }
    callA.onCompleted();
    callB.onCompleted();
    List<StepReport> reports = a.await().stream().map(StepResponse::getReport).toList();
    assertThat(reports).hasSize(6).isEqualTo(b.await().stream().map(r -> r.getReport()).toList());
    assertThat(client.weights("shared")).isEqualTo(client.weights("alone"));
  }

  private static StepRequest part(Model shared, String worker, long step, float gradient) {
    StepHeader header =
        TestClient.header(shared, step).toBuilder()
            .setWorker(worker)
            .setWorkerEpoch(shared.getWorkerEpoch())
            .build();
    return TestClient.whole(header, gradients(shared, gradient), options());
  }

  /** Both answers may be lost. */
  @Test
  void bothStepsCanBeRepeated() {
    StepRequest[] steps = {whole(1, 1), whole(2, 2), whole(3, 3)};
    List<StepResponse> answers = client.stepMessages(steps);
    List<ByteString> weights = client.weights("m");
    CommitOptions withWeights =
        options().toBuilder().setReturnWeights(DataType.DATA_TYPE_FLOAT32).build();
    List<StepResponse> again = client.stepMessages(steps[1], steps[2]);
    for (int i = 0; i < 2; i++) {
      StepReport first = answers.get(i + 1).getReport();
      assertThat(again.get(i).getReport())
          .isEqualTo(first.toBuilder().setRepeatedStep(true).build());
    }
    assertThat(client.weights("m")).isEqualTo(weights);
    assertThat(refusal(() -> client.step(steps[0]))).isEqualTo("FAILED_PRECONDITION/STEP_GAP");
    assertThat(refusal(() -> client.step(whole(2, 9)))).isEqualTo("ABORTED/STEP_CONFLICT");
    StepRequest other = steps[1].toBuilder().setCommit(withWeights).build();
    assertThat(refusal(() -> client.step(other))).isEqualTo("ABORTED/STEP_CONFLICT");
  }

  /** The weights of a step that is not the last one are gone. */
  @Test
  void aRepeatTellsWhoseWeightsFollow() {
    CommitOptions withWeights =
        options().toBuilder().setReturnWeights(DataType.DATA_TYPE_FLOAT32).build();
    StepRequest first = whole(1, 1).toBuilder().setCommit(withWeights).build();
    StepReport report = client.stepMessages(first).get(0).getReport();
    assertThat(report.hasWeightsStep()).isFalse();
    client.step(model, 2, 1);
    List<StepResponse> again = client.stepMessages(first);
    assertThat(again.get(0).getReport().getWeightsStep()).isEqualTo(2);
    assertThat(again.get(1).getChunk().getData()).isEqualTo(client.weights("m").get(0));
  }

  @Test
  void stagingIsReservedTwice() {
    long once = client.create(small("once")).getMemory().getGradientBytes();
    assertThat(model.getOverlapSteps()).isTrue();
    assertThat(model.getMemory().getGradientBytes()).isEqualTo(2 * once);
  }

  /** What waits behind a step that computes has not expired; what nobody goes on with has. */
  @Test
  void theNextStepExpiresOnceItIsItsTurn() throws InterruptedException {
    server.close();
    start(Duration.ofMillis(300));
    Collector<StepResponse> first = hold();
    Collector<StepResponse> second = begin(whole(2, 1));
    await(() -> server.models.get("m").stagedBytes() == 2 * 4 * (12 + 5));
    Thread.sleep(1_000);
    letGo();
    assertThat(first.first().getReport().getStep()).isEqualTo(1);
    assertThat(second.first().getReport().getStep()).isEqualTo(2);
    open(3);
    await(() -> !client.get("m").hasOpenStep());
  }

  /** In a model without the memory for it a step waits for the one before, as it always did. */
  @Test
  void withoutItStepsWait() throws InterruptedException {
    model = client.create(small("m2"));
    Collector<StepResponse> first = hold();
    Collector<OpenStepResponse> second = new Collector<>();
    StepServiceGrpc.newStub(client.channel)
        .openStep(OpenStepRequest.newBuilder().setHeader(header(2)).build(), second);
    Thread.sleep(50);
    assertThat(second.isDone()).isFalse();
    letGo();
    assertThat(first.first().getReport().getStep()).isEqualTo(1);
    second.await();
  }
}
