package io.muond.client;

import io.grpc.stub.StreamObserver;
import io.muond.v1.DataType;
import io.muond.v1.StepHeader;
import io.muond.v1.StepReport;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import java.util.LinkedHashMap;
import java.util.Map;

/** Steps of the fake server. */
final class FakeStepService extends StepServiceGrpc.StepServiceImplBase {
  private final FakeServer server;

  FakeStepService(FakeServer server) {
    this.server = server;
  }

  @Override
  public StreamObserver<StepRequest> step(StreamObserver<StepResponse> answer) {
    server.stepCalls.incrementAndGet();
    return new FakeRequests<>(answer) {
      private StepHeader header;
      private Map<String, Tensor> gradients = new LinkedHashMap<>();

      @Override
      void take(StepRequest request) {
        server.stepMessages.incrementAndGet();
        if (request.hasOpen()) {
          server.point("open");
          header = request.getOpen();
          server.model(header.getModel()).open(header);
          gradients = new LinkedHashMap<>();
        }
        FakeModel model = server.model(header.getModel());
        for (TensorChunk chunk : request.getChunksList()) {
          server.point("chunk");
          model.store(gradients, chunk);
        }
        if (request.hasCommit()) {
          server.point("commit");
          StepReport report = model.commit(header, gradients, request.getCommit());
          server.point("committed");
          answer.onNext(StepResponse.newBuilder().setReport(report).build());
          if (request.getCommit().getReturnWeights() != DataType.DATA_TYPE_UNSPECIFIED) {
            for (TensorChunk chunk : FakeModelService.chunks(model)) {
              answer.onNext(StepResponse.newBuilder().setChunk(chunk).build());
            }
          }
        }
      }

      @Override
      void end() {
        answer.onCompleted();
      }
    };
  }
}
