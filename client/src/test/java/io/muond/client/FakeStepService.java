package io.muond.client;

import io.grpc.stub.StreamObserver;
import io.muond.v1.AbortStepRequest;
import io.muond.v1.AbortStepResponse;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.CommitStepResponse;
import io.muond.v1.DataType;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.OpenStepResponse;
import io.muond.v1.StepHeader;
import io.muond.v1.StepReport;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** Steps of the fake server. */
final class FakeStepService extends StepServiceGrpc.StepServiceImplBase {
  private final FakeServer server;
  private final Map<StepHeader, Map<String, Tensor>> filled = new ConcurrentHashMap<>();

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
          server.answer("report", answer, StepResponse.newBuilder().setReport(report).build());
          if (request.getCommit().getReturnWeights() != DataType.DATA_TYPE_UNSPECIFIED) {
            for (TensorChunk chunk : FakeModelService.chunks(model)) {
              server.answer("chunk", answer, StepResponse.newBuilder().setChunk(chunk).build());
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

  @Override
  public void openStep(OpenStepRequest request, StreamObserver<OpenStepResponse> answer) {
    answering(
        answer,
        () -> {
          StepHeader header = request.getHeader();
          server.model(header.getModel()).open(header);
          filled.putIfAbsent(header, new LinkedHashMap<>());
          return OpenStepResponse.getDefaultInstance();
        });
  }

  @Override
  public StreamObserver<FillStepRequest> fillStep(StreamObserver<FillStepResponse> answer) {
    return new FakeRequests<>(answer) {
      private StepHeader header;
      private long received;

      @Override
      void take(FillStepRequest request) {
        if (request.hasHeader()) {
          header = request.getHeader();
        }
        FakeModel model = server.model(header.getModel());
        for (TensorChunk chunk : request.getChunksList()) {
          server.point("chunk");
          model.store(filled.get(header), chunk);
          received += chunk.getData().size();
        }
      }

      @Override
      void end() {
        answer.onNext(FillStepResponse.newBuilder().setReceivedBytes(received).build());
        answer.onCompleted();
      }
    };
  }

  @Override
  public void commitStep(CommitStepRequest request, StreamObserver<CommitStepResponse> answer) {
    answering(
        answer,
        () -> {
          StepHeader header = request.getHeader();
          StepReport report =
              server
                  .model(header.getModel())
                  .commit(header, filled.get(header), request.getOptions());
          server.point("committed");
          return CommitStepResponse.newBuilder().setReport(report).build();
        });
  }

  @Override
  public void abortStep(AbortStepRequest request, StreamObserver<AbortStepResponse> answer) {
    answering(
        answer,
        () -> {
          filled.remove(request.getHeader());
          return AbortStepResponse.newBuilder().setNextStep(request.getHeader().getStep()).build();
        });
  }

  private static <T> void answering(StreamObserver<T> answer, Supplier<T> response) {
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
