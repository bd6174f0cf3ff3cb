package io.muond.server.rpc;

import io.grpc.stub.StreamObserver;
import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.model.ModelHost;
import io.muond.server.model.ModelRegistry;
import io.muond.server.security.Caller;
import io.muond.v1.Checkpoint;
import io.muond.v1.CheckpointServiceGrpc;
import io.muond.v1.DeleteCheckpointRequest;
import io.muond.v1.DeleteCheckpointResponse;
import io.muond.v1.ListCheckpointsRequest;
import io.muond.v1.ListCheckpointsResponse;
import io.muond.v1.RestoreCheckpointRequest;
import io.muond.v1.RestoreCheckpointResponse;
import io.muond.v1.SaveCheckpointRequest;
import io.muond.v1.SaveCheckpointResponse;

/** The checkpoint service. */
final class CheckpointRpc extends CheckpointServiceGrpc.CheckpointServiceImplBase {
  private final ModelHost host;
  private final Answers answers;

  CheckpointRpc(ModelHost host, Answers answers) {
    this.host = host;
    this.answers = answers;
  }

  /** Those of whoever calls. */
  private ModelRegistry models() {
    return host.of(Caller.current().principal());
  }

  @Override
  public void saveCheckpoint(
      SaveCheckpointRequest request, StreamObserver<SaveCheckpointResponse> call) {
    answers.later(
        call,
        () ->
            models()
                .save(request.getModel(), request.getPrunable())
                .thenApply(
                    info ->
                        SaveCheckpointResponse.newBuilder().setCheckpoint(describe(info)).build()));
  }

  @Override
  public void listCheckpoints(
      ListCheckpointsRequest request, StreamObserver<ListCheckpointsResponse> call) {
    answers.later(
        call,
        () ->
            models()
                .checkpoints(request.getModel())
                .thenApply(
                    list ->
                        ListCheckpointsResponse.newBuilder()
                            .addAllCheckpoints(list.stream().map(CheckpointRpc::describe).toList())
                            .build()));
  }

  @Override
  public void restoreCheckpoint(
      RestoreCheckpointRequest request, StreamObserver<RestoreCheckpointResponse> call) {
    answers.later(
        call,
        () ->
            models()
                .restore(request.getModel(), request.getCheckpoint())
                .thenApply(
                    model ->
                        RestoreCheckpointResponse.newBuilder().setModel(model.describe()).build()));
  }

  @Override
  public void deleteCheckpoint(
      DeleteCheckpointRequest request, StreamObserver<DeleteCheckpointResponse> call) {
    answers.later(
        call,
        () ->
            models()
                .deleteCheckpoint(request.getModel(), request.getCheckpoint())
                .thenApply(
                    freed -> DeleteCheckpointResponse.newBuilder().setFreedBytes(freed).build()));
  }

  private static Checkpoint describe(CheckpointInfo info) {
    return Checkpoint.newBuilder()
        .setCheckpoint(info.id())
        .setModel(info.model())
        .setStep(info.step())
        .setIncarnation(info.incarnation())
        .setCreateTime(Durations.proto(info.createTime()))
        .setSizeBytes(info.sizeBytes())
        .build();
  }
}
