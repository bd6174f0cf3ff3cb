package io.muond.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.muond.server.model.Model;
import io.muond.server.model.ModelHost;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.WeightsReader;
import io.muond.server.security.Caller;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.CreateModelResponse;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.DeleteModelResponse;
import io.muond.v1.GetModelRequest;
import io.muond.v1.GetModelResponse;
import io.muond.v1.InspectModelRequest;
import io.muond.v1.InspectModelResponse;
import io.muond.v1.ListModelsRequest;
import io.muond.v1.ListModelsResponse;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.RenewLeaseRequest;
import io.muond.v1.RenewLeaseResponse;
import io.muond.v1.SetWorkersRequest;
import io.muond.v1.SetWorkersResponse;
import io.muond.v1.TensorChunk;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;

/** The model service. */
final class ModelRpc extends ModelServiceGrpc.ModelServiceImplBase {
  private final ModelHost host;
  private final Answers answers;

  ModelRpc(ModelHost host, Answers answers) {
    this.host = host;
    this.answers = answers;
  }

  /** Those of whoever calls. */
  private ModelRegistry models() {
    return host.of(Caller.current().principal());
  }

  @Override
  public void createModel(CreateModelRequest request, StreamObserver<CreateModelResponse> call) {
    Caller.current().concerns(request.getModel());
    answers.later(
        call,
        () ->
            models()
                .create(request)
                .thenApply(
                    model -> CreateModelResponse.newBuilder().setModel(model.describe()).build()));
  }

  @Override
  public void getModel(GetModelRequest request, StreamObserver<GetModelResponse> call) {
    answers.now(
        call,
        () ->
            GetModelResponse.newBuilder()
                .setModel(models().get(request.getModel()).describe())
                .build());
  }

  @Override
  public void listModels(ListModelsRequest request, StreamObserver<ListModelsResponse> call) {
    answers.now(
        call,
        () ->
            ListModelsResponse.newBuilder()
                .addAllModels(models().list().stream().map(Model::describe).toList())
                .build());
  }

  @Override
  public void deleteModel(DeleteModelRequest request, StreamObserver<DeleteModelResponse> call) {
    Caller.current().concerns(request.getModel());
    answers.later(
        call,
        () ->
            models()
                .delete(request.getModel(), request.getKeepCheckpoints())
                .thenApply(freed -> DeleteModelResponse.newBuilder().setFreedBytes(freed).build()));
  }

  @Override
  public void renewLease(RenewLeaseRequest request, StreamObserver<RenewLeaseResponse> call) {
    answers.now(
        call,
        () -> {
          RenewLeaseResponse.Builder response = RenewLeaseResponse.newBuilder();
          models()
              .get(request.getModel())
              .renewLease()
              .ifPresent(end -> response.setExpireTime(Durations.proto(end)));
          return response.build();
        });
  }

  @Override
  public void setWorkers(SetWorkersRequest request, StreamObserver<SetWorkersResponse> call) {
    answers.later(
        call, () -> models().get(request.getModel()).setWorkers(request.getWorkersList()));
  }

  @Override
  public StreamObserver<WriteWeightsRequest> writeWeights(
      StreamObserver<WriteWeightsResponse> call) {
    return new UploadCall(models(), answers.executor(), call);
  }

  @Override
  public void readWeights(
      ReadWeightsRequest request, StreamObserver<ReadWeightsResponse> responses) {
    Outbox<ReadWeightsResponse> outbox = outbox(responses);
    Throwable failure = null;
    try {
      outbox.send(new WeightsSource(models().get(request.getModel()).read(request)));
    } catch (Throwable e) {
      failure = e;
    }
    outbox.finish(failure);
  }

  @Override
  public void inspectModel(
      InspectModelRequest request, StreamObserver<InspectModelResponse> responses) {
    InspectCall call = new InspectCall((ServerCallStreamObserver<InspectModelResponse>) responses);
    call.begin(() -> models().get(request.getModel()).inspect(request));
  }

  /** What a call with one request and many answers sends. */
  private static <T> Outbox<T> outbox(StreamObserver<T> responses) {
    ServerCallStreamObserver<T> call = (ServerCallStreamObserver<T>) responses;
    Outbox<T> outbox = new Outbox<>(call, () -> {});
    call.setOnReadyHandler(outbox::drain);
    call.setOnCancelHandler(outbox::cancel);
    return outbox;
  }

  /** The header, then the chunks. */
  private static final class WeightsSource implements Outbox.Source<ReadWeightsResponse> {
    private final WeightsReader reader;
    private boolean begun;

    private WeightsSource(WeightsReader reader) {
      this.reader = reader;
    }

    @Override
    public ReadWeightsResponse next() {
      if (!begun) {
        begun = true;
        return ReadWeightsResponse.newBuilder().setHeader(reader.header()).build();
      }
      TensorChunk chunk = reader.next();
      return chunk == null ? null : ReadWeightsResponse.newBuilder().setChunk(chunk).build();
    }

    @Override
    public void close() {
      reader.close();
    }
  }
}
