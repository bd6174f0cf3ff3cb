package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DataType;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;

/**
 * Steps a model that is saved on request by the bare protocol until the server ends, and sends no
 * step twice: each is answered, or refused before it began.
 */
final class OnceWriter {
  private final String server;
  private final String name;
  private final boolean stream;
  private CompletableFuture<Void> steps;
  private Model model;
  private volatile long committed;

  /**
   * @param stream whether all steps are sent over one call
   */
  OnceWriter(String server, String name, boolean stream) {
    this.server = server;
    this.name = name;
    this.stream = stream;
    ManagedChannel channel = connect();
    try {
      Parameter w = Parameter.newBuilder().setName("w").addShape(4).addShape(2).build();
      model =
          ModelServiceGrpc.newBlockingStub(channel)
              .createModel(
                  CreateModelRequest.newBuilder()
                      .setModel(name)
                      .setSeed(3)
                      .setParameters(ParameterList.newBuilder().addParameters(w))
                      .build())
              .getModel();
    } finally {
      channel.shutdownNow();
    }
  }

  private ManagedChannel connect() {
    return Grpc.newChannelBuilder(server, InsecureChannelCredentials.create()).build();
  }

  String model() {
    return name;
  }

  /** The last step that was answered. */
  long committed() {
    return committed;
  }

  /** Begins to step. */
  void begin() {
    steps = CompletableFuture.runAsync(this::run, task -> new Thread(task, name).start());
  }

  /** Waits until it was refused. */
  void end() throws Exception {
    steps.get(30, TimeUnit.SECONDS);
  }

  private void run() {
    ManagedChannel channel = connect();
    try {
      Answers answers = null;
      while (true) {
        if (answers == null || !stream) {
          answers = new Answers();
          answers.requests = StepServiceGrpc.newStub(channel).step(answers);
        }
        CompletableFuture<Long> answer = answers.next();
        answers.requests.onNext(request(committed + 1));
        if (!stream) {
          answers.requests.onCompleted();
        }
        long step = answer.orTimeout(30, TimeUnit.SECONDS).join();
        assertThat(step).isEqualTo(committed + 1);
        committed = step;
      }
    } catch (CompletionException e) {
      assertRefused(e.getCause());
    } finally {
      channel.shutdownNow();
    }
  }

  /** By a model, by the door, or by the transport of a server that takes no more calls. */
  private static void assertRefused(Throwable failure) {
    assertThat(failure).isInstanceOf(StatusRuntimeException.class);
    assertThat(Status.fromThrowable(failure).getCode())
        .as(failure.toString())
        .isEqualTo(Status.Code.UNAVAILABLE);
    com.google.rpc.Status details = StatusProto.fromThrowable(failure);
    if (details != null && details.getDetailsCount() > 0) {
      try {
        assertThat(details.getDetails(0).unpack(ErrorInfo.class).getReason())
            .isEqualTo("SHUTTING_DOWN");
      } catch (com.google.protobuf.InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
    }
  }

  private StepRequest request(long step) {
    ByteBuffer gradient = ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 8; i++) {
      gradient.putFloat((float) Math.sin((double) (step + i)));
    }
    return StepRequest.newBuilder()
        .setOpen(
            StepHeader.newBuilder()
                .setModel(name)
                .setIncarnation(model.getIncarnation())
                .setStep(step))
        .addChunks(
            TensorChunk.newBuilder()
                .setParameter("w")
                .setDataType(DataType.DATA_TYPE_FLOAT32)
                .addShape(4)
                .addShape(2)
                .setData(ByteString.copyFrom(gradient.flip())))
        .setCommit(CommitOptions.newBuilder().setLearningRate(0.1))
        .build();
  }

  /** The answers of a call, one at a time. */
  private static final class Answers implements StreamObserver<StepResponse> {
    private StreamObserver<StepRequest> requests;
    private CompletableFuture<Long> next = new CompletableFuture<>();
    private Throwable end;

    synchronized CompletableFuture<Long> next() {
      next = new CompletableFuture<>();
      if (end != null) {
        next.completeExceptionally(end);
      }
      return next;
    }

    @Override
    public synchronized void onNext(StepResponse answer) {
      next.complete(answer.getReport().getStep());
    }

    @Override
    public synchronized void onError(Throwable failure) {
      end = failure;
      next.completeExceptionally(failure);
    }

    @Override
    public synchronized void onCompleted() {
      end = new AssertionError("ended without an answer");
      next.completeExceptionally(end);
    }
  }
}
