package io.muond.server.rpc;

import com.google.protobuf.Duration;
import io.grpc.ServerServiceDefinition;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.muond.server.model.ModelHost;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.MuondException;
import io.muond.server.security.Caller;
import io.muond.v1.AbortStepRequest;
import io.muond.v1.AbortStepResponse;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.FillStepRequest;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.OpenStepResponse;
import io.muond.v1.StepRequest;
import io.muond.v1.StepServiceGrpc;
import io.muond.wire.OutgoingMessage;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;

/** The step service. */
final class StepRpc extends StepServiceGrpc.StepServiceImplBase {
  /** Owns what OpenStep opens: it outlives the call. */
  private static final Object NO_CALL = new Object();

  private final ModelHost host;
  private final Answers answers;
  private final Set<StepCall> stepCalls = ConcurrentHashMap.newKeySet();

  StepRpc(ModelHost host, Answers answers) {
    this.host = host;
    this.answers = answers;
  }

  /** The service, with messages of tensors as they came. */
  ServerServiceDefinition definition() {
    return new TensorMethods(bindService())
        .in(
            StepServiceGrpc.getFillStepMethod(),
            FillStepRequest.getDefaultInstance(),
            ServerCalls.asyncClientStreamingCall(
                call -> new FillCall(models(), answers.executor(), call)))
        .out(
            StepServiceGrpc.getCommitStepMethod(),
            ServerCalls.asyncServerStreamingCall(this::commit))
        .inOut(
            StepServiceGrpc.getStepMethod(),
            StepRequest.getDefaultInstance(),
            ServerCalls.asyncBidiStreamingCall(this::newCall))
        .build();
  }

  /** Those of whoever calls. */
  private ModelRegistry models() {
    return host.of(Caller.current().principal());
  }

  @Override
  public void openStep(OpenStepRequest request, StreamObserver<OpenStepResponse> call) {
    Duration expiresAfter = Durations.proto(host.stepTimeout());
    answers.later(
        call,
        () ->
            models()
                .get(request.getHeader().getModel())
                .open(request.getHeader(), NO_CALL)
                .thenApply(
                    writer ->
                        OpenStepResponse.newBuilder()
                            .setAlreadyCommitted(writer.isRepeat())
                            .setExpiresAfter(expiresAfter)
                            .build()));
  }

  private void commit(CommitStepRequest request, StreamObserver<OutgoingMessage> responses) {
    ServerCallStreamObserver<OutgoingMessage> call =
        (ServerCallStreamObserver<OutgoingMessage>) responses;
    Outbox<OutgoingMessage> outbox = new Outbox<>(call, () -> {});
    call.setOnReadyHandler(outbox::drain);
    call.setOnCancelHandler(outbox::cancel);
    Executor executor = answers.executor();
    StepAnswer answer = new StepAnswer(StepAnswer.Kind.COMMIT_STEP);
    try {
      var unused =
          models()
              .get(request.getHeader().getModel())
              .find(request.getHeader())
              .commit(
                  request.getOptions(),
                  weights -> {
                    weights.onMore(() -> executor.execute(outbox::drain));
                    answer.begin(weights);
                  })
              .whenCompleteAsync(
                  (committed, refusal) -> {
                    answer.settle(committed, refusal);
                    outbox.drain();
                  },
                  executor);
      outbox.send(answer);
      outbox.finish(null);
    } catch (Throwable e) {
      outbox.finish(e);
    }
  }

  @Override
  public void abortStep(AbortStepRequest request, StreamObserver<AbortStepResponse> call) {
    answers.later(
        call,
        () ->
            models()
                .get(request.getHeader().getModel())
                .abort(request.getHeader())
                .thenApply(next -> AbortStepResponse.newBuilder().setNextStep(next).build()));
  }

  private StepCall newCall(StreamObserver<OutgoingMessage> responses) {
    StepCall call = new StepCall(models(), answers.executor(), responses, stepCalls::remove);
    stepCalls.add(call);
    return call;
  }

  /** Ends the Step calls that are between two steps. */
  void endIdleCalls(MuondException reason) {
    stepCalls.forEach(call -> call.endIfIdle(reason));
  }
}
