package io.muond.server.rpc;

import io.grpc.ServerServiceDefinition;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
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
import io.muond.v1.WriteWeightsRequest;
import io.muond.wire.OutgoingMessage;
import java.util.List;
import java.util.function.Consumer;

/** The model service. */
final class ModelRpc extends ModelServiceGrpc.ModelServiceImplBase {
  private final ModelHost host;
  private final Answers answers;

  ModelRpc(ModelHost host, Answers answers) {
    this.host = host;
    this.answers = answers;
  }

  /** The service, with messages of tensors as they came. */
  ServerServiceDefinition definition() {
    return new TensorMethods(bindService())
        .in(
            ModelServiceGrpc.getWriteWeightsMethod(),
            WriteWeightsRequest.getDefaultInstance(),
            ServerCalls.asyncClientStreamingCall(
                call -> new UploadCall(models(), answers.executor(), call)))
        .out(
            ModelServiceGrpc.getReadWeightsMethod(),
            ServerCalls.asyncServerStreamingCall(this::read))
        .build();
  }

  /** Those of whoever calls. */
  private ModelRegistry models() {
    return host.of(Caller.current().principal());
  }

  @Override
  public void createModel(CreateModelRequest request, StreamObserver<CreateModelResponse> call) {
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

  private void read(ReadWeightsRequest request, StreamObserver<OutgoingMessage> responses) {
    ServerCallStreamObserver<OutgoingMessage> call =
        (ServerCallStreamObserver<OutgoingMessage>) responses;
    Outbox<OutgoingMessage> outbox = new Outbox<>(call, () -> {});
    call.setOnReadyHandler(outbox::drain);
    call.setOnCancelHandler(outbox::cancel);
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

  /** The header, then the chunks. */
  private static final class WeightsSource implements Outbox.Source<OutgoingMessage> {
    private final WeightsReader reader;
    private boolean begun;

    private WeightsSource(WeightsReader reader) {
      this.reader = reader;
    }

    @Override
    public boolean next(Consumer<OutgoingMessage> to) {
      if (!begun) {
        begun = true;
        to.accept(
            new OutgoingMessage(
                ReadWeightsResponse.newBuilder().setHeader(reader.header()).build(), List.of()));
        return true;
      }
      return reader.next(
          chunk ->
              to.accept(
                  new OutgoingMessage(ReadWeightsResponse.getDefaultInstance(), List.of(chunk))));
    }

    @Override
    public void close() {
      reader.close();
    }
  }
}
