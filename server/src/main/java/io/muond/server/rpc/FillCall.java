package io.muond.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.MuondException;
import io.muond.server.model.Refusals;
import io.muond.server.model.StepWriter;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.wire.ChunkedMessage;
import java.util.concurrent.Executor;

/** A FillStep call. The next message is asked for only when the one before has been staged. */
final class FillCall implements StreamObserver<ChunkedMessage<FillStepRequest>> {
  private final ModelRegistry models;
  private final Executor executor;
  private final ServerCallStreamObserver<FillStepResponse> call;
  private StepWriter writer;
  private Runnable forget = () -> {};
  private boolean ended;

  FillCall(ModelRegistry models, Executor executor, StreamObserver<FillStepResponse> responses) {
    this.models = models;
    this.executor = executor;
    this.call = (ServerCallStreamObserver<FillStepResponse>) responses;
    call.disableAutoRequest();
    call.setOnCancelHandler(() -> {});
    call.request(1);
  }

  @Override
  public synchronized void onNext(ChunkedMessage<FillStepRequest> message) {
    if (ended) {
      return;
    }
    try {
      find(message.envelope());
      message.forEachChunk(writer::stage);
      call.request(1);
    } catch (Throwable e) {
      fail(e);
    }
  }

  private void find(FillStepRequest request) {
    if (writer == null) {
      if (!request.hasHeader()) {
        throw Refusals.malformedCall("header", "absent", "the step's header in the first message");
      }
      writer = models.get(request.getHeader().getModel()).find(request.getHeader());
      forget = writer.onDrop(executor, this::dropped);
    } else if (request.hasHeader()) {
      throw Refusals.malformedCall("header", "present", "absent but in the first message");
    }
  }

  @Override
  public synchronized void onCompleted() {
    if (ended) {
      return;
    }
    if (writer == null) {
      fail(Refusals.malformedCall("header", "absent", "a first message with the step's header"));
      return;
    }
    end();
    call.onNext(
        FillStepResponse.newBuilder()
            .setReceivedBytes(writer.receivedBytes())
            .setMissingBytes(writer.missingBytes())
            .build());
    call.onCompleted();
  }

  /** A stream that breaks loses nothing that was staged. */
  @Override
  public synchronized void onError(Throwable cancelled) {
    end();
  }

  /** A step may outlive many calls that filled it. */
  private void end() {
    ended = true;
    forget.run();
  }

  /** The step is gone: the client is told, whether it sends more or not. */
  private synchronized void dropped(MuondException reason) {
    if (!ended) {
      fail(reason);
    }
  }

  private void fail(Throwable failure) {
    end();
    call.onError(Errors.status(failure));
  }
}
