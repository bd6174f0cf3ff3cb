package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.parameter;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.grpc.Context;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.muond.server.engine.TestEngines;
import io.muond.v1.AbortStepRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.ParameterList;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Streams that break, and readers that are slow. */
class StreamsTest {
  private TestServer server;
  private TestClient client;
  private long baseline;
  private Model model;

  @BeforeEach
  void start() {
    server = new TestServer();
    client = server.client();
    baseline = server.engine.allocatedBytes();
    // 8 MiB, more than a transport buffers.
    model =
        client.create(
            small("m")
                .setParameters(
                    ParameterList.newBuilder().addParameters(parameter("w", 16, 131_072))));
  }

  /** Deleting the model frees what it had, to the last byte. */
  @AfterEach
  void stop() {
    long held = server.engine.allocatedBytes() - baseline;
    long freed =
        client
            .models()
            .deleteModel(DeleteModelRequest.newBuilder().setModel("m").build())
            .getFreedBytes();
    assertThat(freed).isEqualTo(model.getMemory().getTotalBytes()).isLessThanOrEqualTo(held);
    assertThat(server.engine.allocatedBytes()).isEqualTo(baseline);
    server.close();
  }

  private static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  @Test
  void aCancelledStepCallDropsItsStep() {
    List<ByteString> weights = client.weights("m");
    ClientCallStreamObserver<StepRequest> call =
        (ClientCallStreamObserver<StepRequest>)
            StepServiceGrpc.newStub(client.channel).step(new Collector<StepResponse>());
    call.onNext(
        StepRequest.newBuilder()
            .setOpen(header(model, 1))
            .addAllChunks(gradients(model, 1).subList(0, 2))
            .build());
    await(() -> server.models.get("m").stagedBytes() > 0);
    call.cancel("enough", null);
    await(() -> !client.get("m").hasOpenStep());
    assertThat(client.weights("m")).isEqualTo(weights);
    StepRequest[] whole = messages(model, 1);
    assertThat(client.step(whole).getStep()).isEqualTo(1);
  }

  /** A step of as many messages as chunks: together they would be too large. */
  private static StepRequest[] messages(Model model, long step) {
    List<StepRequest> messages =
        new ArrayList<>(List.of(StepRequest.newBuilder().setOpen(header(model, step)).build()));
    gradients(model, (float) step)
        .forEach(c -> messages.add(StepRequest.newBuilder().addChunks(c).build()));
    messages.add(StepRequest.newBuilder().setCommit(options()).build());
    return messages.toArray(StepRequest[]::new);
  }

  @Test
  void aCallThatEndsAfterItsCommitLeavesTheStepInForce() throws InterruptedException {
    server.optimizer.begun = new CountDownLatch(1);
    int permits = server.optimizer.permits.drainPermits();
    ClientCallStreamObserver<StepRequest> call =
        (ClientCallStreamObserver<StepRequest>)
            StepServiceGrpc.newStub(client.channel).step(new Collector<StepResponse>());
    for (StepRequest message : messages(model, 1)) {
      call.onNext(message);
    }
    server.optimizer.begun.await();
    call.cancel("gone", null);
    server.optimizer.permits.release(permits);
    await(() -> client.get("m").getCommittedStep() == 1);
    assertThat(client.step(messages(model, 1)).getRepeatedStep()).isTrue();
  }

  @Test
  void aBrokenUploadLeavesTheModelAsItWas() {
    List<ByteString> weights = client.weights("m");
    ClientCallStreamObserver<WriteWeightsRequest> call =
        (ClientCallStreamObserver<WriteWeightsRequest>)
            ModelServiceGrpc.newStub(client.channel)
                .writeWeights(new Collector<WriteWeightsResponse>());
    call.onNext(
        WriteWeightsRequest.newBuilder()
            .setModel("m")
            .addAllChunks(gradients(model, 1).subList(0, 3))
            .build());
    call.cancel("enough", null);
    assertThat(client.step(messages(model, 1)).getStep()).isEqualTo(1);
    assertThat(client.get("m").getIncarnation()).isEqualTo(model.getIncarnation());
    assertThat(client.weights("m")).isNotEqualTo(weights);
  }

  @Test
  void aSlowReaderIsSuperseded() {
    Iterator<ReadWeightsResponse> slow = readSlowly();
    client.step(messages(model, 1));
    client.step(messages(model, 2));
    assertThat(refusal(() -> slow.forEachRemaining(r -> {})))
        .isEqualTo("ABORTED/WEIGHTS_SUPERSEDED");
  }

  @Test
  void aReaderOfTheStepBeforeFinishes() {
    ByteString all = ByteString.copyFrom(client.weights("m"));
    Iterator<ReadWeightsResponse> slow = readSlowly();
    client.step(messages(model, 1));
    ByteString read = ByteString.EMPTY;
    while (slow.hasNext()) {
      read = read.concat(slow.next().getChunk().getData());
    }
    assertThat(read).isEqualTo(all);
  }

  /** Reads the header only; the rest does not fit into the transport. */
  private Iterator<ReadWeightsResponse> readSlowly() {
    Iterator<ReadWeightsResponse> answers =
        client.models().readWeights(ReadWeightsRequest.newBuilder().setModel("m").build());
    assertThat(answers.next().getHeader().getTotalBytes()).isEqualTo(8 << 20);
    return answers;
  }

  @Test
  void aCancelledReadLetsGo() {
    Context.CancellableContext context = Context.current().withCancellation();
    context.run(this::readSlowly);
    context.cancel(null);
    assertThat(client.step(messages(model, 1)).getStep()).isEqualTo(1);
    assertThat(client.step(messages(model, 2)).getStep()).isEqualTo(2);
  }

  @Test
  void readersSeeWholeSteps() throws Exception {
    // A second each on a device that is emulated.
    int steps = TestEngines.isCuda() ? 6 : 40;
    Thread stepping =
        new Thread(
            () -> {
              for (long step = 1; step <= steps; step++) {
                server.client().step(messages(model, step));
              }
            });
    ByteString begin = ByteString.copyFrom(client.weights("m"));
    stepping.start();
    int whole = 0;
    while (stepping.isAlive()) {
      whole += readWhole(begin) ? 1 : 0;
    }
    stepping.join();
    assertThat(readWhole(begin)).isTrue();
    assertThat(whole).isPositive();
  }

  /** All elements have moved by what the step says, or the reader was too slow. */
  private boolean readWhole(ByteString begin) {
    try {
      Iterator<ReadWeightsResponse> answers =
          client.models().readWeights(ReadWeightsRequest.newBuilder().setModel("m").build());
      answers.next();
      ByteString read = ByteString.EMPTY;
      while (answers.hasNext()) {
        read = read.concat(answers.next().getChunk().getData());
      }
      float moved = element(read, 0) - element(begin, 0);
      int last = read.size() / 4 - 1;
      float lastMoved = element(read, last) - element(begin, last);
      // The last element is about 2^21: a float32 there is a multiple of 1/8.
      assertThat(lastMoved).isCloseTo(moved, Offset.offset(0.5f * 40 / 8));
      return true;
    } catch (StatusRuntimeException e) {
      assertThat(TestClient.info(e).getReason()).isEqualTo("WEIGHTS_SUPERSEDED");
      return false;
    }
  }

  private static float element(ByteString bytes, int index) {
    return bytes.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).getFloat(4 * index);
  }

  @Test
  void aDeletedModelEndsItsStreams() {
    Model other = client.create(small("other"));
    Collector<StepResponse> steps = new Collector<>();
    StreamObserver<StepRequest> step = StepServiceGrpc.newStub(client.channel).step(steps);
    step.onNext(StepRequest.newBuilder().setOpen(header(other, 1)).build());
    await(() -> client.get("other").hasOpenStep());
    Collector<FillStepResponse> fills = new Collector<>();
    StreamObserver<FillStepRequest> fill = StepServiceGrpc.newStub(client.channel).fillStep(fills);
    fill.onNext(
        FillStepRequest.newBuilder()
            .setHeader(header(other, 1))
            .addChunks(gradients(other, 1).get(0))
            .build());
    await(() -> server.models.get("other").stagedBytes() > 0);
    delete("other");
    // They say nothing more, and are told all the same.
    assertThat(refusal(steps::await)).isEqualTo("ABORTED/MODEL_DELETED");
    assertThat(refusal(fills::await)).isEqualTo("ABORTED/MODEL_DELETED");
  }

  private void delete(String name) {
    client.models().deleteModel(DeleteModelRequest.newBuilder().setModel(name).build());
  }

  @Test
  void aDeletedModelEndsItsUpload() {
    client.create(small("other"));
    Collector<WriteWeightsResponse> answers = new Collector<>();
    StreamObserver<WriteWeightsRequest> call =
        ModelServiceGrpc.newStub(client.channel).writeWeights(answers);
    call.onNext(WriteWeightsRequest.newBuilder().setModel("other").build());
    await(() -> server.models.isWorking());
    delete("other");
    assertThat(refusal(answers::await)).isEqualTo("ABORTED/MODEL_DELETED");
  }

  @Test
  void anAbortEndsTheCallThatFills() {
    Collector<StepResponse> answers = new Collector<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(StepRequest.newBuilder().setOpen(header(model, 1)).build());
    await(() -> client.get("m").hasOpenStep());
    client.steps().abortStep(AbortStepRequest.newBuilder().setHeader(header(model, 1)).build());
    assertThat(refusal(answers::await)).isEqualTo("ABORTED/STEP_ABORTED");
  }

  /** Two calls of one worker fill the same step; the model is deleted between their commits. */
  @Test
  void aCommitAfterAnotherCallsCommitNeedsTheModel() {
    Model other = client.create(small("other"));
    Collector<StepResponse> answers = new Collector<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(
        StepRequest.newBuilder()
            .setOpen(header(other, 1))
            .addAllChunks(gradients(other, 1))
            .build());
    await(() -> server.models.get("other").stagedBytes() == 4 * (12 + 5));
    client.step(other, 1, 1);
    delete("other");
    call.onNext(StepRequest.newBuilder().setCommit(options()).build());
    assertThat(refusal(answers::await)).isEqualTo("ABORTED/MODEL_DELETED");
  }
}
