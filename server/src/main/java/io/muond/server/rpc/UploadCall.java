package io.muond.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.MuondException;
import io.muond.server.model.Refusals;
import io.muond.server.model.WeightsUpload;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;
import io.muond.wire.ChunkedMessage;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/** A WriteWeights call. The next message is asked for only when the one before has been staged. */
final class UploadCall implements StreamObserver<ChunkedMessage<WriteWeightsRequest>> {
  private final ModelRegistry models;
  private final Executor executor;
  private final ServerCallStreamObserver<WriteWeightsResponse> call;
  private String model = "";
  private WeightsUpload upload;
  private boolean opening;
  private boolean halfClosed;
  private boolean ended;

  UploadCall(
      ModelRegistry models, Executor executor, StreamObserver<WriteWeightsResponse> responses) {
    this.models = models;
    this.executor = executor;
    this.call = (ServerCallStreamObserver<WriteWeightsResponse>) responses;
    call.disableAutoRequest();
    call.setOnCancelHandler(this::cancel);
    call.setOnCloseHandler(this::cancel);
    call.request(1);
  }

  @Override
  public synchronized void onNext(ChunkedMessage<WriteWeightsRequest> message) {
    if (ended) {
      return;
    }
    try {
      if (upload != null) {
        stage(message);
        return;
      }
      model = message.envelope().getModel();
      opening = true;
      CompletableFuture<WeightsUpload> opened = models.get(model).upload();
      message.detach();
      var unused =
          opened.whenCompleteAsync((begun, failure) -> begun(begun, failure, message), executor);
    } catch (Throwable e) {
      fail(e);
    }
  }

  private synchronized void begun(
      WeightsUpload begun, Throwable failure, ChunkedMessage<WriteWeightsRequest> message) {
    opening = false;
    try (message) {
      if (failure != null) {
        fail(failure);
        return;
      }
      upload = begun;
      if (ended) {
        upload.close();
        return;
      }
      upload.onDrop(executor, this::dropped);
      stage(message);
      if (halfClosed) {
        finish();
      }
    } catch (Throwable e) {
      fail(e);
    }
  }

  /** The upload is gone: the client is told, whether it sends more or not. */
  private synchronized void dropped(MuondException reason) {
    fail(reason);
  }

  private void stage(ChunkedMessage<WriteWeightsRequest> message) {
    String named = message.envelope().getModel();
    if (!named.isEmpty() && !named.equals(model)) {
      throw Refusals.invalidField("model", '"' + named + '"', "\"" + model + "\", or empty");
    }
    message.forEachChunk(upload::stage);
    call.request(1);
  }

  @Override
  public synchronized void onCompleted() {
    halfClosed = true;
    if (ended || opening) {
      return;
    }
    try {
      if (upload == null) {
        throw Refusals.malformedCall("model", "absent", "a first message that names the model");
      }
      finish();
    } catch (Throwable e) {
      fail(e);
    }
  }

  private void finish() {
    var unused = upload.finish().whenCompleteAsync(this::finished, executor);
  }

  private synchronized void finished(WriteWeightsResponse response, Throwable failure) {
    if (failure != null) {
      fail(failure);
    } else if (!ended) {
      try {
        call.onNext(response);
        call.onCompleted();
        ended = true;
      } catch (Throwable e) {
        fail(e);
      }
    }
  }

  @Override
  public void onError(Throwable cancelled) {
    cancel();
  }

  private synchronized void cancel() {
    ended = true;
    if (upload != null) {
      upload.close();
    }
  }

  private void fail(Throwable failure) {
    if (!ended) {
      cancel();
      call.onError(Errors.status(failure));
    }
  }
}
