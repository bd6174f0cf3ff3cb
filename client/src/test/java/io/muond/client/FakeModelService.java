package io.muond.client;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.CreateModelResponse;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.DeleteModelResponse;
import io.muond.v1.ErrorReason;
import io.muond.v1.GetModelRequest;
import io.muond.v1.GetModelResponse;
import io.muond.v1.ListModelsRequest;
import io.muond.v1.ListModelsResponse;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.RenewLeaseRequest;
import io.muond.v1.RenewLeaseResponse;
import io.muond.v1.TensorChunk;
import io.muond.v1.WeightsHeader;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** Models of the fake server. */
final class FakeModelService extends ModelServiceGrpc.ModelServiceImplBase {
  private final FakeServer server;

  FakeModelService(FakeServer server) {
    this.server = server;
  }

  @Override
  public void createModel(CreateModelRequest request, StreamObserver<CreateModelResponse> answer) {
    server.point("create");
    respond(answer, () -> CreateModelResponse.newBuilder().setModel(create(request)).build());
  }

  private io.muond.v1.Model create(CreateModelRequest request) {
    synchronized (server) {
      if (server.models.containsKey(request.getModel())) {
        throw FakeErrors.of(
            Status.ALREADY_EXISTS, ErrorReason.MODEL_EXISTS, "model: exists", Map.of());
      }
      FakeModel model = new FakeModel(request);
      server.models.put(request.getModel(), model);
      return model.describe();
    }
  }

  @Override
  public void getModel(GetModelRequest request, StreamObserver<GetModelResponse> answer) {
    respond(
        answer,
        () ->
            GetModelResponse.newBuilder()
                .setModel(server.model(request.getModel()).describe())
                .build());
  }

  @Override
  public void listModels(ListModelsRequest request, StreamObserver<ListModelsResponse> answer) {
    respond(
        answer,
        () -> {
          synchronized (server) {
            return ListModelsResponse.newBuilder()
                .addAllModels(server.models.values().stream().map(FakeModel::describe).toList())
                .build();
          }
        });
  }

  @Override
  public void deleteModel(DeleteModelRequest request, StreamObserver<DeleteModelResponse> answer) {
    server.point("delete");
    respond(
        answer,
        () -> {
          synchronized (server) {
            server.models.remove(server.model(request.getModel()).request.getModel());
          }
          return DeleteModelResponse.newBuilder().setFreedBytes(1000).build();
        });
  }

  @Override
  public void renewLease(RenewLeaseRequest request, StreamObserver<RenewLeaseResponse> answer) {
    server.point("renew");
    respond(
        answer,
        () -> {
          server.model(request.getModel()).describe();
          return RenewLeaseResponse.getDefaultInstance();
        });
  }

  @Override
  public StreamObserver<WriteWeightsRequest> writeWeights(
      StreamObserver<WriteWeightsResponse> answer) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    return new FakeRequests<>(answer) {
      private FakeModel model;

      @Override
      void take(WriteWeightsRequest request) {
        server.point("write");
        model = server.model(request.getModel());
        request.getChunksList().forEach(chunk -> model.store(tensors, chunk));
      }

      @Override
      void end() {
        tensors.forEach(
            (name, tensor) ->
                System.arraycopy(
                    tensor.values(),
                    0,
                    model.weights.get(name).values(),
                    0,
                    tensor.values().length));
        model.ready = true;
        model.incarnation += "w";
        answer.onNext(
            WriteWeightsResponse.newBuilder()
                .setIncarnation(model.incarnation)
                .setNextStep(model.committedStep + 1)
                .build());
        answer.onCompleted();
      }
    };
  }

  @Override
  public void readWeights(ReadWeightsRequest request, StreamObserver<ReadWeightsResponse> answer) {
    FakeModel model;
    try {
      model = server.model(request.getModel());
    } catch (RuntimeException e) {
      answer.onError(e);
      return;
    }
    long bytes = model.weights.values().stream().mapToLong(Tensor::byteSize).sum();
    answer.onNext(
        ReadWeightsResponse.newBuilder()
            .setHeader(
                WeightsHeader.newBuilder()
                    .setIncarnation(model.incarnation)
                    .setStep(model.committedStep)
                    .setTotalBytes(bytes))
            .build());
    for (TensorChunk chunk : chunks(model)) {
      server.point("read");
      server.answer("chunk", answer, ReadWeightsResponse.newBuilder().setChunk(chunk).build());
    }
    answer.onCompleted();
  }

  static List<TensorChunk> chunks(FakeModel model) {
    Chunker chunker = new Chunker(model.weights, Chunker.BLOCK);
    List<TensorChunk> chunks = new ArrayList<>();
    // Copies: the weights may move while a chunk waits to be sent.
    chunker.forEachRemaining(message -> chunks.addAll(SentChunks.read(message)));
    return chunks;
  }

  private static <T> void respond(StreamObserver<T> answer, Supplier<T> response) {
    T value;
    try {
      value = response.get();
    } catch (RuntimeException e) {
      answer.onError(e);
      return;
    }
    answer.onNext(value);
    answer.onCompleted();
  }
}
