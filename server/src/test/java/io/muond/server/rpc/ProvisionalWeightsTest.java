package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.grpc.stub.StreamObserver;
import io.muond.v1.CommitOptions;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.CommitStepResponse;
import io.muond.v1.DataType;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.Model;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Weights of parameters that are finished are sent while others are computed. */
@Timeout(60)
class ProvisionalWeightsTest {
  private static final CommitOptions EARLY =
      options().toBuilder()
          .setReturnWeights(DataType.DATA_TYPE_FLOAT32)
          .setProvisionalWeights(true)
          .build();

  private TestServer server;
  private TestClient client;
  private Model model;

  @BeforeEach
  void start() {
    server = new TestServer(Duration.ofSeconds(30), Duration.ofMillis(20), Optional.empty());
    client = server.client();
    model = client.create(small("m").setOverlapSteps(true));
    server.optimizer.takesPermits = true;
    server.optimizer.permits.drainPermits();
  }

  @AfterEach
  void stop() {
    server.optimizer.permits.release(1_000);
    server.close();
  }

  /** A call's answers as they come; its failure ends them. */
  private static final class Answers<T> implements StreamObserver<T> {
    private final LinkedBlockingQueue<Object> queue = new LinkedBlockingQueue<>();

    @Override
    public void onNext(T answer) {
      queue.add(answer);
    }

    @Override
    public void onError(Throwable failure) {
      queue.add(failure);
    }

    @Override
    public void onCompleted() {
      queue.add("end");
    }

    Object next() {
      try {
        Object next = queue.poll(10, TimeUnit.SECONDS);
        assertThat(next).as("an answer").isNotNull();
        return next;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionError(e);
      }
    }

    boolean isEmpty() {
      return queue.isEmpty();
    }
  }

  private StepRequest step(long number) {
    return whole(TestClient.header(model, number), gradients(model, 1), EARLY);
  }

  /** As many batches as that are computed. */
  private void compute(int batches) {
    server.optimizer.permits.release(batches);
  }

  @Test
  void aParameterComesWhenItIsFinished() throws InterruptedException {
    List<ByteString> before = weights();
    Answers<StepResponse> answers = new Answers<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(step(1));
    compute(1);
    StepResponse early = (StepResponse) answers.next();
    assertThat(early.getProvisional()).isTrue();
    assertThat(early.getChunk().getParameter()).isEqualTo("w");
    Thread.sleep(50);
    assertThat(answers.isEmpty()).isTrue();
    // Whoever reads gets the last committed step.
    assertThat(weights()).isEqualTo(before);
    compute(1);
    List<StepResponse> rest = new ArrayList<>();
    rest.add((StepResponse) answers.next());
    rest.add((StepResponse) answers.next());
    assertThat(rest).filteredOn(StepResponse::hasReport).hasSize(1);
    StepResponse last = rest.stream().filter(StepResponse::hasChunk).findFirst().orElseThrow();
    // The report may or may not have overtaken it.
    assertThat(last.getProvisional()).isEqualTo(rest.get(0).hasChunk());
    assertThat(List.of(early.getChunk().getData(), last.getChunk().getData())).isEqualTo(weights());
    call.onCompleted();
    assertThat(answers.next()).isEqualTo("end");
  }

  private List<ByteString> weights() {
    return client.weights("m");
  }

  @Test
  void ofARefusedStepTheyAreWorthNothing() {
    List<ByteString> before = weights();
    Answers<StepResponse> answers = new Answers<>();
    StepServiceGrpc.newStub(client.channel).step(answers).onNext(step(1));
    compute(1);
    assertThat(((StepResponse) answers.next()).getProvisional()).isTrue();
    server.optimizer.failure = new IllegalStateException("planned");
    compute(1);
    assertThat(answers.next()).isInstanceOf(Throwable.class);
    assertThat(weights()).isEqualTo(before);
    compute(2);
    assertThat(client.stepMessages(step(1))).hasSize(3);
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
  }

  @Test
  void stepsBehindEachOtherKeepTheirOrder() {
    Answers<StepResponse> answers = new Answers<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    compute(40);
    for (int number = 1; number <= 20; number++) {
      call.onNext(step(number));
    }
    call.onCompleted();
    List<Long> reports = new ArrayList<>();
    int chunks = 0;
    for (Object next = answers.next(); !next.equals("end"); next = answers.next()) {
      StepResponse answer = (StepResponse) next;
      if (answer.hasReport()) {
        reports.add(answer.getReport().getStep());
      } else {
        chunks++;
        // Two chunks for each report: those of the next step come after the last of this one.
        int step = (chunks - 1) / 2 + 1;
        int reported = reports.size();
        assertThat(reported).isEqualTo(answer.getProvisional() ? step - 1 : step);
      }
    }
    assertThat(reports).hasSize(20).isSorted();
    assertThat(chunks).isEqualTo(40);
  }

  @Test
  void aCommitOfItsOwnGetsThemToo() {
    client
        .steps()
        .openStep(OpenStepRequest.newBuilder().setHeader(TestClient.header(model, 1)).build());
    Collector<FillStepResponse> filled = new Collector<>();
    StreamObserver<FillStepRequest> fill = StepServiceGrpc.newStub(client.channel).fillStep(filled);
    fill.onNext(
        FillStepRequest.newBuilder()
            .setHeader(TestClient.header(model, 1))
            .addAllChunks(gradients(model, 1))
            .build());
    fill.onCompleted();
    filled.await();
    Answers<CommitStepResponse> answers = new Answers<>();
    StepServiceGrpc.newStub(client.channel)
        .commitStep(
            CommitStepRequest.newBuilder()
                .setHeader(TestClient.header(model, 1))
                .setOptions(EARLY)
                .build(),
            answers);
    compute(1);
    assertThat(((CommitStepResponse) answers.next()).getProvisional()).isTrue();
    compute(1);
    answers.next();
    answers.next();
    assertThat(answers.next()).isEqualTo("end");
  }

  @Test
  void withoutReturnedWeightsThereAreNone() {
    CommitOptions none = EARLY.toBuilder().clearReturnWeights().build();
    StepRequest request = step(1).toBuilder().setCommit(none).build();
    assertThat(refusal(() -> client.step(request))).isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
  }
}
