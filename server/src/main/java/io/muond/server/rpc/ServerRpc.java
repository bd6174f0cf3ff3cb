package io.muond.server.rpc;

import io.grpc.stub.StreamObserver;
import io.muond.server.engine.DeviceInfo;
import io.muond.server.engine.Engine;
import io.muond.server.model.ModelHost;
import io.muond.server.model.Party;
import io.muond.server.model.Refusals;
import io.muond.server.security.Caller;
import io.muond.v1.Device;
import io.muond.v1.GetServerInfoRequest;
import io.muond.v1.GetServerInfoResponse;
import io.muond.v1.MeasureGemmRequest;
import io.muond.v1.MeasureGemmResponse;
import io.muond.v1.ProcessUse;
import io.muond.v1.ServerServiceGrpc;
import io.muond.wire.Protocol;

/** The server service. */
final class ServerRpc extends ServerServiceGrpc.ServerServiceImplBase {
  private static final int MIN_GEMM = 16;
  private static final int MAX_GEMM = 8_192;

  private final ModelHost host;
  private final Answers answers;
  private final boolean hasDataDirectory;

  ServerRpc(ModelHost host, Answers answers, boolean hasDataDirectory) {
    this.host = host;
    this.answers = answers;
    this.hasDataDirectory = hasDataDirectory;
  }

  @Override
  public void getServerInfo(
      GetServerInfoRequest request, StreamObserver<GetServerInfoResponse> call) {
    answers.now(call, this::info);
  }

  private GetServerInfoResponse info() {
    GetServerInfoResponse.Builder info =
        GetServerInfoResponse.newBuilder()
            .setVersion(version())
            .setEngine(host.devices().all().get(0).engine().kind())
            .setMaxMessageBytes(GrpcServer.MAX_MESSAGE_BYTES)
            .setStepTimeout(Durations.proto(host.stepTimeout()))
            .setHasDataDirectory(hasDataDirectory)
            .setProcessUse(processUse())
            .setOldestProtocol(Protocol.OURS.oldest())
            .setNewestProtocol(Protocol.OURS.newest());
    host.devices().all().forEach(device -> info.addDevices(describe(device.engine())));
    return info.build();
  }

  private static ProcessUse processUse() {
    var use = io.muond.units.ProcessUse.now();
    return ProcessUse.newBuilder()
        .setCpuSeconds(use.cpuSeconds())
        .setAllocatedBytes(use.allocatedBytes())
        .setHeapBytes(use.heapBytes())
        .build();
  }

  private static Device describe(Engine engine) {
    DeviceInfo device = engine.device();
    Device.Builder description =
        Device.newBuilder()
            .setName(device.name())
            .setMemoryBytes(device.memoryBytes())
            .setAvailableBytes(device.availableBytes())
            .setEngineBytes(device.engineBytes())
            .setOrdinal(device.ordinal());
    engine.loss().ifPresent(loss -> description.setLoss(loss.getMessage()));
    return description.build();
  }

  static String version() {
    String version = ServerRpc.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  @Override
  public void measureGemm(MeasureGemmRequest request, StreamObserver<MeasureGemmResponse> call) {
    Party party = Party.of(Caller.current().principal());
    answers.later(
        call,
        () -> {
          int size = request.getSize();
          if (size < MIN_GEMM || size > MAX_GEMM) {
            throw Refusals.invalidField("size", Integer.toUnsignedString(size), "16 to 8192");
          }
          var device = host.devices().usable().get(0);
          return device
              .submit(party, () -> device.engine().gemmRate(size))
              .thenApply(
                  rate ->
                      MeasureGemmResponse.newBuilder()
                          .setFloatingPointOperationsPerSecond(rate)
                          .build());
        });
  }
}
