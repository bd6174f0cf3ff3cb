package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
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
import io.muond.v1.Model;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.SetWorkersRequest;
import io.muond.v1.SetWorkersResponse;
import io.muond.v1.StepHeader;
import io.muond.v1.StepReport;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DataParallelTest {
  private static final List<String> WORKERS = List.of("a", "b", "c");

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
    model = client.create(small("m").addAllWorkers(WORKERS));
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private StepHeader header(long step, String worker) {
    return TestClient.header(model, step).toBuilder()
        .setWorker(worker)
        .setWorkerEpoch(model.getWorkerEpoch())
        .build();
  }

  private Collector<StepResponse> begin(StepRequest... messages) {
    Collector<StepResponse> answers = new Collector<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    for (StepRequest message : messages) {
      call.onNext(message);
    }
    return answers;
  }

  @Test
  void contributionsAreSummedWithTheirWeights() {
    float before = TestClient.first(client.weights("m").get(0));
    List<Collector<StepResponse>> answers = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      StepHeader header = header(1, WORKERS.get(i)).toBuilder().setWeight(0.5 * (i + 1)).build();
      answers.add(begin(whole(header, gradients(model, i + 1), options())));
    }
    List<StepReport> reports = answers.stream().map(a -> a.first().getReport()).toList();
    // 0.5 * 1 + 1 * 2 + 1.5 * 3 = 7, times 0.25.
    assertThat(TestClient.first(client.weights("m").get(0))).isEqualTo(before - 1.75f);
    assertThat(reports.get(0)).isEqualTo(reports.get(1)).isEqualTo(reports.get(2));
  }

  @Test
  void concurrentWorkersWithDuplicatesCountOnce() throws Exception {
    Model alone = client.create(small("alone"));
    int steps = 20;
    ExecutorService pool = Executors.newFixedThreadPool(WORKERS.size());
    try {
      List<Future<?>> workers = new ArrayList<>();
      for (String worker : WORKERS) {
        workers.add(pool.submit(() -> work(worker, steps)));
      }
      for (Future<?> worker : workers) {
        worker.get();
      }
    } finally {
      pool.shutdownNow();
    }
    for (int step = 1; step <= steps; step++) {
      client.step(alone, step, 3);
    }
    assertThat(client.get("m").getCommittedStep()).isEqualTo(steps);
    assertThat(client.weights("m")).isEqualTo(client.weights("alone"));
  }

  /** Sends each step twice, in another order each time; the second may be a repeat. */
  private Void work(String worker, int steps) {
    TestClient own = server.client();
    Random random = new Random(worker.hashCode());
    for (int step = 1; step <= steps; step++) {
      List<TensorChunk> chunks = new ArrayList<>(gradients(model, 1));
      Collector<StepResponse> first = begin(whole(header(step, worker), chunks, options()));
      Collections.shuffle(chunks, random);
      if (random.nextBoolean()) {
        chunks.addAll(gradients(model, 1));
      }
      StepReport second = own.step(whole(header(step, worker), chunks, options()));
      assertThat(first.first().getReport().getStep()).isEqualTo(step);
      assertThat(second.getStep()).isEqualTo(step);
    }
    return null;
  }

  @Test
  void workersMustAgree() {
    begin(whole(header(1, "a"), gradients(model, 1), options()));
    await(() -> client.get("m").hasOpenStep());
    String conflict = "ABORTED/STEP_CONFLICT";
    assertThat(
            refusal(
                () ->
                    client.step(
                        whole(
                            header(1, "b"),
                            gradients(model, 1),
                            options().toBuilder().setLearningRate(0.125).build()))))
        .isEqualTo(conflict);
    assertThat(refusal(() -> client.step(whole(header(1, "a"), gradients(model, 2), options()))))
        .isEqualTo(conflict);
    StepHeader other = header(1, "a").toBuilder().setWeight(2).build();
    assertThat(refusal(() -> client.step(whole(other, gradients(model, 1), options()))))
        .isEqualTo(conflict);
    assertThat(
            refusal(
                () ->
                    client.step(
                        whole(
                            header(1, "b").toBuilder().setWorkerEpoch(0).build(),
                            gradients(model, 1),
                            options()))))
        .isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
  }

  private static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  @Test
  void newWorkersBeginANewEpochAndAbortTheOpenStep() {
    List<ByteString> weights = client.weights("m");
    Collector<StepResponse> waiting = begin(whole(header(1, "a"), gradients(model, 1), options()));
    await(() -> client.get("m").hasOpenStep());
    SetWorkersResponse changed =
        client
            .models()
            .setWorkers(
                SetWorkersRequest.newBuilder()
                    .setModel("m")
                    .addWorkers("d")
                    .addWorkers("a")
                    .build());
    assertThat(refusal(waiting::first)).isEqualTo("ABORTED/STEP_ABORTED");
    assertThat(changed.getWorkerEpoch()).isEqualTo(2);
    assertThat(changed.getNextStep()).isEqualTo(1);
    assertThat(client.weights("m")).isEqualTo(weights);
    ErrorInfo info =
        info(
            catchThrowable(
                () -> client.step(whole(header(1, "a"), gradients(model, 1), options()))));
    assertThat(info.getReason()).isEqualTo("WORKERS_CHANGED");
    assertThat(info.getMetadataMap()).containsEntry("epoch", "2").containsEntry("workers", "a,d");
    model = client.get("m");
    Collector<StepResponse> one = begin(whole(header(1, "d"), gradients(model, 1), options()));
    client.step(whole(header(1, "a"), gradients(model, 1), options()));
    assertThat(one.first().getReport().getStep()).isEqualTo(1);
  }

  @Test
  void anIncompleteStepExpiresAndNamesWhoIsMissing() {
    stop();
    start(Duration.ofSeconds(1));
    Collector<StepResponse> waiting = begin(whole(header(1, "b"), gradients(model, 1), options()));
    client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header(1, "a")).build());
    ErrorInfo info = info(catchThrowable(waiting::first));
    assertThat(info.getReason()).isEqualTo("STEP_EXPIRED");
    assertThat(info.getMetadataMap()).containsEntry("step", "1").containsEntry("missing", "a,c");
    assertThat(client.get("m").hasOpenStep()).isFalse();
  }
}
