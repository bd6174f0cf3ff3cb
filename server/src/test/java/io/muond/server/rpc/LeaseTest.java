package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.parameter;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Duration;
import io.grpc.stub.StreamObserver;
import io.muond.server.checkpoint.CheckpointStore;
import io.muond.server.engine.Region;
import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.model.Allowance;
import io.muond.server.model.ModelHost;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.SgdOptimizer;
import io.muond.server.model.StepObserver;
import io.muond.server.optimizer.BatchProgram;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.Optimizer;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.ListModelsRequest;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.ParameterList;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.RenewLeaseRequest;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A leased model lives while it is worked with, and no longer than that and its time to live. */
class LeaseTest {
  /** Long enough that a machine which stands still for a second does not end it. */
  private static final int LEASE_SECONDS = 2;

  private static final java.time.Duration LONGER_THAN_THE_LEASE =
      java.time.Duration.ofMillis(1_000 * LEASE_SECONDS + 400);

  private TestServer server;
  private TestClient client;
  private Model model;

  @BeforeEach
  void start() {
    server = new TestServer();
    client = server.client();
    // Whatever a first step takes longer is over before a lease begins.
    client.step(client.create(small("first")), 1, 1);
    client.models().deleteModel(DeleteModelRequest.newBuilder().setModel("first").build());
    model = client.create(small("m").setLeaseTtl(Duration.newBuilder().setSeconds(LEASE_SECONDS)));
  }

  @AfterEach
  void stop() {
    server.optimizer.permits.drainPermits();
    server.optimizer.permits.release(1);
    server.close();
  }

  private static void pause() throws InterruptedException {
    Thread.sleep(LONGER_THAN_THE_LEASE.toMillis());
  }

  private boolean exists() {
    return client.models().listModels(ListModelsRequest.getDefaultInstance()).getModelsCount() > 0;
  }

  private static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + java.time.Duration.ofSeconds(10).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  /** Another lease has begun, at whose end it is deleted. */
  private void livesForAnotherLease() throws InterruptedException {
    Thread.sleep(300);
    assertThat(exists()).isTrue();
    await(() -> !exists());
    await(() -> server.engine.allocatedBytes() == 0);
  }

  @Test
  void itLivesByHeartbeats() throws InterruptedException {
    for (int i = 0; i < 5; i++) {
      Thread.sleep(600);
      assertThat(
              client
                  .models()
                  .renewLease(RenewLeaseRequest.newBuilder().setModel("m").build())
                  .hasExpireTime())
          .isTrue();
    }
    livesForAnotherLease();
  }

  @Test
  void aStepThatIsFilledSlowlyAndOneThatComputesKeepIt() throws InterruptedException {
    Collector<StepResponse> answers = new Collector<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(StepRequest.newBuilder().setOpen(header(model, 1)).build());
    pause();
    server.optimizer.begun = new CountDownLatch(1);
    int permits = server.optimizer.permits.drainPermits();
    call.onNext(
        StepRequest.newBuilder().addAllChunks(gradients(model, 1)).setCommit(options()).build());
    call.onCompleted();
    assertThat(server.optimizer.begun.await(10, TimeUnit.SECONDS)).isTrue();
    pause();
    server.optimizer.permits.release(permits);
    assertThat(answers.await().get(0).getReport().getStep()).isEqualTo(1);
    livesForAnotherLease();
  }

  @Test
  void aStepThatIsRefusedLateLeavesTimeToSendItAgain() throws InterruptedException {
    Collector<StepResponse> answers = new Collector<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(StepRequest.newBuilder().setOpen(header(model, 1)).build());
    pause();
    call.onNext(StepRequest.newBuilder().setCommit(options()).build());
    assertThat(refusal(answers::await)).isEqualTo("INVALID_ARGUMENT/MISSING_PARAMETER");
    assertThat(client.step(model, 1, 1).getStep()).isEqualTo(1);
  }

  @Test
  void aRepeatThatIsFilledSlowlyKeepsIt() throws InterruptedException {
    client.step(model, 1, 1);
    Collector<StepResponse> answers = new Collector<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(StepRequest.newBuilder().setOpen(header(model, 1)).build());
    pause();
    call.onNext(
        StepRequest.newBuilder().addAllChunks(gradients(model, 1)).setCommit(options()).build());
    call.onCompleted();
    assertThat(answers.await().get(0).getReport().getRepeatedStep()).isTrue();
    livesForAnotherLease();
  }

  @Test
  void aRepeatWithoutNewsExpires() {
    try (TestServer impatient =
        new TestServer(
            java.time.Duration.ofMillis(600), java.time.Duration.ofMillis(20), Optional.empty())) {
      TestClient other = impatient.client();
      Model leased = other.create(small("m").setLeaseTtl(Duration.newBuilder().setSeconds(1)));
      other.step(leased, 1, 1);
      Collector<StepResponse> answers = new Collector<>();
      StreamObserver<StepRequest> call = StepServiceGrpc.newStub(other.channel).step(answers);
      call.onNext(StepRequest.newBuilder().setOpen(header(leased, 1)).build());
      assertThat(refusal(answers::await)).isEqualTo("ABORTED/STEP_EXPIRED");
      await(() -> impatient.models.list().isEmpty());
    }
  }

  @Test
  void anUploadKeepsIt() throws InterruptedException {
    Collector<WriteWeightsResponse> answers = new Collector<>();
    StreamObserver<WriteWeightsRequest> call =
        ModelServiceGrpc.newStub(client.channel).writeWeights(answers);
    call.onNext(WriteWeightsRequest.newBuilder().setModel("m").build());
    pause();
    call.onNext(WriteWeightsRequest.newBuilder().addAllChunks(gradients(model, 1)).build());
    call.onCompleted();
    assertThat(answers.await().get(0).getNextStep()).isEqualTo(1);
    livesForAnotherLease();
  }

  @Test
  void aReaderKeepsIt() throws InterruptedException {
    client.create(
        small("large")
            .setLeaseTtl(Duration.newBuilder().setSeconds(1))
            // 8 MiB, more than a transport buffers.
            .setParameters(ParameterList.newBuilder().addParameters(parameter("w", 16, 131_072))));
    Iterator<ReadWeightsResponse> answers =
        client.models().readWeights(ReadWeightsRequest.newBuilder().setModel("large").build());
    long bytes = -answers.next().getHeader().getTotalBytes();
    pause();
    while (answers.hasNext()) {
      bytes += answers.next().getChunk().getData().size();
    }
    assertThat(bytes).isZero();
    livesForAnotherLease();
  }

  @Test
  void refusedRequestsAreNoHeartbeats() {
    StepHeader stale = header(model, 1).toBuilder().setIncarnation("stale").build();
    List<TensorChunk> gradients = gradients(model, 1);
    await(
        () -> {
          String refused = refusal(() -> client.step(whole(stale, gradients, options())));
          refusal(() -> client.steps().openStep(open(header(model, 9))));
          return refused.equals("NOT_FOUND/MODEL_NOT_FOUND");
        });
  }

  /** Nobody can renew a lease before the server serves. */
  @Test
  void aLongRestartCostsNoLease(@TempDir Path directory) throws IOException {
    try (TestServer first =
        new TestServer(
            java.time.Duration.ofSeconds(30),
            java.time.Duration.ofMillis(20),
            Optional.of(directory))) {
      first.client().create(durable("a").setLeaseTtl(Duration.newBuilder().setSeconds(1)));
      first.client().create(durable("b"));
    }
    try (CheckpointStore store = new CheckpointStore(directory);
        CpuEngine engine = new CpuEngine(1, 1 << 20);
        ModelHost models =
            new ModelHost(
                List.of(engine),
                any -> slow(new SgdOptimizer()),
                new ModelRegistry.Settings(
                    java.time.Duration.ofSeconds(30), java.time.Duration.ofMillis(20)),
                StepObserver.NONE,
                Optional.of(store),
                principal -> Allowance.UNLIMITED)) {
      models.restoreAll();
      assertThat(models.list()).hasSize(2);
      await(() -> models.list().size() == 1);
    }
  }

  private static CreateModelRequest.Builder durable(String name) {
    return small(name).setDurability(Durability.newBuilder().setEverySteps(1));
  }

  /** Takes long to make a model. */
  private static Optimizer slow(Optimizer optimizer) {
    return new Optimizer() {
      @Override
      public BatchProgram program(BatchSpec spec) {
        LockSupport.parkNanos(LONGER_THAN_THE_LEASE.toNanos());
        return optimizer.program(spec);
      }

      @Override
      public double cost(BatchSpec spec) {
        return optimizer.cost(spec);
      }

      @Override
      public void sum(List<Region> regions, double[] weights) {
        optimizer.sum(regions, weights);
      }
    };
  }

  private static OpenStepRequest open(StepHeader header) {
    return OpenStepRequest.newBuilder().setHeader(header).build();
  }
}
