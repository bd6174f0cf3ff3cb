package io.muond.client;

import io.grpc.stub.StreamObserver;
import io.muond.v1.Device;
import io.muond.v1.GetServerInfoRequest;
import io.muond.v1.GetServerInfoResponse;
import io.muond.v1.MeasureGemmRequest;
import io.muond.v1.MeasureGemmResponse;
import io.muond.v1.ServerServiceGrpc;

/** Describes the fake server. */
final class FakeServerService extends ServerServiceGrpc.ServerServiceImplBase {
  @Override
  public void getServerInfo(
      GetServerInfoRequest request, StreamObserver<GetServerInfoResponse> answer) {
    answer.onNext(
        GetServerInfoResponse.newBuilder()
            .setVersion("fake")
            .setEngine("cpu")
            .addDevices(
                Device.newBuilder()
                    .setName("fake device")
                    .setMemoryBytes(2_000_000_000)
                    .setAvailableBytes(1_000_000_000))
            .setMaxMessageBytes(4 << 20)
            .build());
    answer.onCompleted();
  }

  @Override
  public void measureGemm(MeasureGemmRequest request, StreamObserver<MeasureGemmResponse> answer) {
    answer.onNext(
        MeasureGemmResponse.newBuilder().setFloatingPointOperationsPerSecond(1e11).build());
    answer.onCompleted();
  }
}
