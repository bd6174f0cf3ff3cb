package io.muond.server.rpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.Channel;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import io.muond.v1.Checkpoint;
import io.muond.v1.CheckpointServiceGrpc;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DataType;
import io.muond.v1.GetModelRequest;
import io.muond.v1.ListCheckpointsRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.RestoreCheckpointRequest;
import io.muond.v1.Rule;
import io.muond.v1.SaveCheckpointRequest;
import io.muond.v1.StepHeader;
import io.muond.v1.StepReport;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/** What tests say to a server, by the generated stubs. */
final class TestClient {
  static final int BLOCK = 65_536;

  final Channel channel;

  TestClient(Channel channel) {
    this.channel = channel;
  }

  ModelServiceGrpc.ModelServiceBlockingStub models() {
    return ModelServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  StepServiceGrpc.StepServiceBlockingStub steps() {
    return StepServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  CheckpointServiceGrpc.CheckpointServiceBlockingStub checkpoints() {
    return CheckpointServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  /** Two parameters: w (4, 3) with momentum, and v (5) on a sphere, in the group "v". */
  static CreateModelRequest.Builder small(String name) {
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setSeed(7)
        .setDefaultRule(Rule.newBuilder().setMomentum(0.5))
        .setParameters(
            ParameterList.newBuilder()
                .addParameters(parameter("w", 4, 3))
                .addParameters(
                    parameter("v", 5).toBuilder()
                        .setGroup("v")
                        .setManifold(Manifold.MANIFOLD_SPHERE)));
  }

  /** A name by which a model with one parameter comes to that one of two devices. */
  static String nameOn(int device, String prefix) {
    return IntStream.range(0, 100)
        .mapToObj(i -> prefix + i)
        .filter(name -> Math.floorMod(name.hashCode(), 2) == device)
        .findFirst()
        .orElseThrow();
  }

  static Parameter parameter(String name, long... shape) {
    Parameter.Builder parameter = Parameter.newBuilder().setName(name);
    Arrays.stream(shape).forEach(parameter::addShape);
    return parameter.build();
  }

  Model create(CreateModelRequest.Builder request) {
    return models().createModel(request.build()).getModel();
  }

  Model get(String name) {
    return models().getModel(GetModelRequest.newBuilder().setModel(name).build()).getModel();
  }

  static StepHeader header(Model model, long step) {
    return StepHeader.newBuilder()
        .setModel(model.getName())
        .setIncarnation(model.getIncarnation())
        .setStep(step)
        .build();
  }

  static CommitOptions options() {
    return CommitOptions.newBuilder().setLearningRate(0.25).build();
  }

  /** Chunks of all parameters, every element {@code value}, in pieces of at most 2 blocks. */
  static List<TensorChunk> gradients(Model model, float value) {
    List<TensorChunk> chunks = new ArrayList<>();
    for (Parameter parameter : model.getParametersList()) {
      chunks.addAll(chunks(parameter, value));
    }
    return chunks;
  }

  static List<TensorChunk> chunks(Parameter parameter, float value) {
    long floats = parameter.getShapeList().stream().reduce(1L, (a, b) -> a * b);
    List<TensorChunk> chunks = new ArrayList<>();
    for (long offset = 0; offset < floats * 4; offset += 2 * BLOCK) {
      float[] values = new float[(int) Math.min(2 * BLOCK, floats * 4 - offset) / 4];
      Arrays.fill(values, value);
      chunks.add(chunk(parameter, offset, values));
    }
    return chunks;
  }

  static TensorChunk chunk(Parameter parameter, long offset, float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return TensorChunk.newBuilder()
        .setParameter(parameter.getName())
        .setDataType(DataType.DATA_TYPE_FLOAT32)
        .addAllShape(parameter.getShapeList())
        .setOffset(offset)
        .setData(ByteString.copyFrom(bytes))
        .build();
  }

  static StepRequest whole(StepHeader header, List<TensorChunk> chunks, CommitOptions options) {
    return StepRequest.newBuilder().setOpen(header).addAllChunks(chunks).setCommit(options).build();
  }

  /** One whole step in one message. */
  StepReport step(Model model, long step, float gradient) {
    return step(whole(header(model, step), gradients(model, gradient), options()));
  }

  StepReport step(StepRequest... messages) {
    return stepMessages(messages).get(0).getReport();
  }

  /** A Step call with these messages; fails as the call does. */
  List<StepResponse> stepMessages(StepRequest... messages) {
    Collector<StepResponse> answers = new Collector<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(channel).step(answers);
    for (StepRequest message : messages) {
      call.onNext(message);
    }
    call.onCompleted();
    return answers.await();
  }

  WriteWeightsResponse write(String model, List<TensorChunk> chunks) {
    Collector<WriteWeightsResponse> answers = new Collector<>();
    StreamObserver<WriteWeightsRequest> call =
        ModelServiceGrpc.newStub(channel).writeWeights(answers);
    call.onNext(WriteWeightsRequest.newBuilder().setModel(model).addAllChunks(chunks).build());
    call.onCompleted();
    return answers.await().get(0);
  }

  /** All weights' bytes, header first. */
  List<ByteString> weights(String model) {
    Iterator<ReadWeightsResponse> answers =
        models().readWeights(ReadWeightsRequest.newBuilder().setModel(model).build());
    answers.next();
    List<ByteString> bytes = new ArrayList<>();
    answers.forEachRemaining(a -> bytes.add(a.getChunk().getData()));
    return bytes;
  }

  static float first(ByteString bytes) {
    return bytes.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).getFloat(0);
  }

  Checkpoint save(String model) {
    return checkpoints()
        .saveCheckpoint(SaveCheckpointRequest.newBuilder().setModel(model).build())
        .getCheckpoint();
  }

  /** Its checkpoints, newest first. */
  List<Checkpoint> checkpoints(String model) {
    return checkpoints()
        .listCheckpoints(ListCheckpointsRequest.newBuilder().setModel(model).build())
        .getCheckpointsList();
  }

  /**
   * @param checkpoint its id, "" for the newest intact one
   */
  Model restore(String model, String checkpoint) {
    return checkpoints()
        .restoreCheckpoint(
            RestoreCheckpointRequest.newBuilder().setModel(model).setCheckpoint(checkpoint).build())
        .getModel();
  }

  /** What a refusal says of itself. */
  static ErrorInfo info(Throwable failure) {
    com.google.rpc.Status status = StatusProto.fromThrowable(failure);
    if (status == null || status.getDetailsCount() == 0) {
      throw new AssertionError("no details: " + failure, failure);
    }
    try {
      ErrorInfo info = status.getDetails(0).unpack(ErrorInfo.class);
      if (!info.getDomain().equals("muond.io")) {
        throw new AssertionError("domain: " + info.getDomain());
      }
      return info;
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  /** The status and reason of a call that must fail, like {@code ABORTED/STEP_CONFLICT}. */
  static String refusal(Runnable call) {
    try {
      call.run();
    } catch (StatusRuntimeException e) {
      return e.getStatus().getCode() + "/" + info(e).getReason();
    }
    return "no refusal";
  }
}
