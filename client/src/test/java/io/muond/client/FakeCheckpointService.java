package io.muond.client;

import com.google.protobuf.Timestamp;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.muond.v1.Checkpoint;
import io.muond.v1.CheckpointServiceGrpc;
import io.muond.v1.DeleteCheckpointRequest;
import io.muond.v1.DeleteCheckpointResponse;
import io.muond.v1.ErrorReason;
import io.muond.v1.ListCheckpointsRequest;
import io.muond.v1.ListCheckpointsResponse;
import io.muond.v1.SaveCheckpointRequest;
import io.muond.v1.SaveCheckpointResponse;
import java.util.Map;

/** One checkpoint that can be listed. */
final class FakeCheckpointService extends CheckpointServiceGrpc.CheckpointServiceImplBase {
  private static final Checkpoint ONLY =
      Checkpoint.newBuilder()
          .setCheckpoint("c1")
          .setModel("m")
          .setStep(7)
          .setIncarnation("i1")
          .setSizeBytes(1234)
          .setCreateTime(Timestamp.newBuilder().setSeconds(1_700_000_000))
          .build();

  @Override
  public void saveCheckpoint(
      SaveCheckpointRequest request, StreamObserver<SaveCheckpointResponse> answer) {
    answer.onNext(SaveCheckpointResponse.newBuilder().setCheckpoint(ONLY).build());
    answer.onCompleted();
  }

  @Override
  public void listCheckpoints(
      ListCheckpointsRequest request, StreamObserver<ListCheckpointsResponse> answer) {
    answer.onNext(ListCheckpointsResponse.newBuilder().addCheckpoints(ONLY).build());
    answer.onCompleted();
  }

  @Override
  public void deleteCheckpoint(
      DeleteCheckpointRequest request, StreamObserver<DeleteCheckpointResponse> answer) {
    answer.onError(
        FakeErrors.of(
            Status.NOT_FOUND,
            ErrorReason.CHECKPOINT_NOT_FOUND,
            "checkpoint: \"%s\" (expected: c1)".formatted(request.getCheckpoint()),
            Map.of("checkpoint", request.getCheckpoint())));
  }
}
