package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.parameter;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import io.muond.server.model.MuondException;
import io.muond.server.model.ProtoChunk;
import io.muond.server.model.StepObserver;
import io.muond.server.model.StepWriter;
import io.muond.v1.AbortStepRequest;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.DataType;
import io.muond.v1.ErrorReason;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.ParameterList;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.StepHeader;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.time.Duration;
import java.util.Iterator;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Calls that end at the wrong moment, or say what no client would. */
class BrokenCallsTest {
  private final AtomicLong sent = new AtomicLong();
  private TestServer server;
  private TestClient client;

  @BeforeEach
  void start() {
    server =
        new TestServer(
            Duration.ofSeconds(30), Duration.ofSeconds(20), Optional.empty(), new Sent());
    client = server.client();
  }

  /** Closing the engine fails on memory that is still out. */
  @AfterEach
  void stop() {
    server.optimizer.permits.drainPermits();
    server.optimizer.permits.release(1_000);
    server.close();
  }

  private final class Sent implements StepObserver {
    @Override
    public void gradientBytes(long bytes) {}

    @Override
    public void weightBytes(long bytes) {
      sent.addAndGet(bytes);
    }

    @Override
    public void committed(StepTimes times) {}

    @Override
    public void repeated() {}

    @Override
    public void dropped(Throwable cause) {}

    @Override
    public void refused(Throwable cause) {}

    @Override
    public void saved(double seconds, long bytes) {}

    @Override
    public void notSaved() {}

    @Override
    public void foundDamaged() {}
  }

  private static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  /** A second call's commit of a part that is committed and waits for another worker. */
  @Test
  void aCommitAfterTheStepWasAbortedIsTold() {
    Model model = client.create(small("m").addWorkers("a").addWorkers("b"));
    StepHeader header = header(model, 1).toBuilder().setWorker("a").setWorkerEpoch(1).build();
    var m = server.models.get("m");
    StepWriter first = m.open(header, "first").join();
    StepWriter second = m.open(header, "second").join();
    gradients(model, 1).forEach(chunk -> first.stage(new ProtoChunk(chunk)));
    CompletableFuture<?> waiting = first.commit(options(), weights -> {});
    m.abort(header).join();
    assertThat(reason(() -> waiting.join())).isEqualTo(ErrorReason.STEP_ABORTED);
    assertThat(
            reason(
                () ->
                    second.commit(options(), weights -> {}).orTimeout(5, TimeUnit.SECONDS).join()))
        .isEqualTo(ErrorReason.STEP_ABORTED);
  }

  private static ErrorReason reason(Runnable call) {
    try {
      call.run();
    } catch (MuondException e) {
      return e.reason();
    } catch (CompletionException e) {
      if (e.getCause() instanceof MuondException refusal) {
        return refusal.reason();
      }
      throw e;
    }
    return null;
  }

  /** The commit stays in force, and the weights that it would have sent block nobody. */
  @Test
  void aDeadlineThatPassesWhileTheStepComputes() throws InterruptedException {
    Model model = client.create(small("m"));
    StepHeader header = header(model, 1);
    client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header).build());
    fill(header, model);
    server.optimizer.begun = new CountDownLatch(1);
    server.optimizer.permits.drainPermits();
    Iterator<?> answers =
        StepServiceGrpc.newBlockingStub(client.channel)
            .withDeadlineAfter(3, TimeUnit.SECONDS)
            .commitStep(
                CommitStepRequest.newBuilder()
                    .setHeader(header)
                    .setOptions(options().toBuilder().setReturnWeights(DataType.DATA_TYPE_FLOAT32))
                    .build());
    assertThat(server.optimizer.begun.await(10, TimeUnit.SECONDS)).isTrue();
    assertThatThrownBy(answers::hasNext)
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED));
    server.optimizer.permits.release(1_000);
    await(() -> client.get("m").getCommittedStep() == 1);
    // A reader left behind would hold the second of these up for its grace of 20 s.
    long began = System.nanoTime();
    client.step(model, 2, 1);
    client.step(model, 3, 1);
    assertThat(System.nanoTime() - began).isLessThan(Duration.ofSeconds(10).toNanos());
  }

  private FillStepResponse fill(StepHeader header, Model model) {
    Collector<FillStepResponse> answers = new Collector<>();
    StreamObserver<FillStepRequest> call =
        StepServiceGrpc.newStub(client.channel).fillStep(answers);
    call.onNext(
        FillStepRequest.newBuilder().setHeader(header).addAllChunks(gradients(model, 1)).build());
    call.onCompleted();
    return answers.await().get(0);
  }

  /** Either the abort comes first or the commit does, and both are told the same. */
  @Test
  void anAbortAndACommitAtTheSameTime() {
    Model model = client.create(small("m"));
    int aborted = 0;
    for (int i = 0; i < 60; i++) {
      long step = client.get("m").getCommittedStep() + 1;
      StepHeader header = header(model, step);
      client.steps().openStep(OpenStepRequest.newBuilder().setHeader(header).build());
      fill(header, model);
      CompletableFuture<String> commit =
          CompletableFuture.supplyAsync(
              () ->
                  refusal(
                      () ->
                          client
                              .steps()
                              .commitStep(
                                  CommitStepRequest.newBuilder()
                                      .setHeader(header)
                                      .setOptions(options())
                                      .build())
                              .forEachRemaining(a -> {})));
      String abort =
          refusal(
              () ->
                  client
                      .steps()
                      .abortStep(AbortStepRequest.newBuilder().setHeader(header).build()));
      boolean committed = client.get("m").getCommittedStep() == step;
      if (committed) {
        assertThat(commit.join()).isEqualTo("no refusal");
        assertThat(abort).isEqualTo("FAILED_PRECONDITION/STEP_NOT_OPEN");
      } else {
        assertThat(commit.join()).isIn("ABORTED/STEP_ABORTED", "FAILED_PRECONDITION/STEP_NOT_OPEN");
        assertThat(abort).isEqualTo("no refusal");
        aborted++;
      }
    }
    assertThat(client.get("m").getCommittedStep()).isEqualTo(60 - aborted);
    client.step(model, 61 - aborted, 1);
  }

  /** Cancelled while it waits for the model: it must not keep the model when its turn comes. */
  @Test
  void anUploadThatIsCancelledWhileItWaits() throws InterruptedException {
    Model model = client.create(small("m"));
    server.optimizer.begun = new CountDownLatch(1);
    server.optimizer.permits.drainPermits();
    CompletableFuture<?> step = CompletableFuture.runAsync(() -> client.step(model, 1, 1));
    assertThat(server.optimizer.begun.await(10, TimeUnit.SECONDS)).isTrue();
    ClientCallStreamObserver<WriteWeightsRequest> upload =
        (ClientCallStreamObserver<WriteWeightsRequest>)
            ModelServiceGrpc.newStub(client.channel)
                .writeWeights(new Collector<WriteWeightsResponse>());
    upload.onNext(WriteWeightsRequest.newBuilder().setModel("m").build());
    Thread.sleep(100);
    upload.cancel("enough", null);
    server.optimizer.permits.release(1_000);
    step.join();
    assertThat(client.step(model, 2, 1).getStep()).isEqualTo(2);
    await(() -> !server.models.isWorking());
  }

  @Test
  void callsThatSayNothingAndEnd() {
    Collector<FillStepResponse> fill = new Collector<>();
    StepServiceGrpc.newStub(client.channel).fillStep(fill).onCompleted();
    assertThat(refusal(fill::await)).isEqualTo("INVALID_ARGUMENT/CALL_MALFORMED");
    Collector<WriteWeightsResponse> upload = new Collector<>();
    ModelServiceGrpc.newStub(client.channel).writeWeights(upload).onCompleted();
    assertThat(refusal(upload::await)).isEqualTo("INVALID_ARGUMENT/CALL_MALFORMED");
    assertThat(client.stepMessages()).isEmpty();
  }

  /** A client that reads nothing makes the server read no more than a little ahead. */
  @Test
  void aSlowReaderCostsLittleMemory() throws InterruptedException {
    client.create(
        small("m")
            .setParameters(ParameterList.newBuilder().addParameters(parameter("w", 16, 131_072))));
    // A window that is given does not grow by what the client measures of the connection.
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", server.server().port())
            .usePlaintext()
            .flowControlWindow(1 << 20)
            .build();
    try {
      for (int i = 0; i < 4; i++) {
        Iterator<ReadWeightsResponse> slow =
            new TestClient(channel)
                .models()
                .readWeights(ReadWeightsRequest.newBuilder().setModel("m").build());
        assertThat(slow.next().hasHeader()).isTrue();
      }
      long before;
      do {
        before = sent.get();
        Thread.sleep(300);
      } while (sent.get() > before);
    } finally {
      channel.shutdownNow();
    }
    // Each of the four: what is ready to be sent and one chunk more, and the transport's windows.
    assertThat(sent.get()).isBetween(4L << 20, 4L * (3 << 20) + (6 << 20));
  }

  @Test
  void bytesThatAreNoMessage() {
    MethodDescriptor.Marshaller<byte[]> bytes =
        new MethodDescriptor.Marshaller<>() {
          @Override
          public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
          }

          @Override
          public byte[] parse(InputStream stream) {
            return new byte[0];
          }
        };
    MethodDescriptor<byte[], byte[]> method =
        ModelServiceGrpc.getGetModelMethod().toBuilder(bytes, bytes).build();
    byte[] garbage = {(byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 1};
    assertThat(
            refusal(
                () ->
                    ClientCalls.blockingUnaryCall(
                        client.channel, method, CallOptions.DEFAULT, garbage)))
        .isEqualTo("INVALID_ARGUMENT/CALL_MALFORMED");
  }
}
