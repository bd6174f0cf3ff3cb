package io.muond.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.MuondException;
import io.muond.server.model.Refusals;
import io.muond.server.model.WeightsUpload;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;
import java.util.concurrent.Executor;

/** A WriteWeights call. The next message is asked for only when the one before has been staged. */
final class UploadCall implements StreamObserver<WriteWeightsRequest> {
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
  public synchronized void onNext(WriteWeightsRequest request) {
    if (ended) {
      return;
    }
    try {
      if (upload != null) {
        stage(request);
        return;
      }
      model = request.getModel();
      opening = true;
      var unused =
          models
              .get(model)
              .upload()
              .whenCompleteAsync((begun, failure) -> begun(begun, failure, request), executor);
    } catch (Throwable e) {
      fail(e);
    }
  }

  private synchronized void begun(
      WeightsUpload begun, Throwable failure, WriteWeightsRequest request) {
    opening = false;
    if (failure != null) {
      fail(failure);
      return;
    }
    upload = begun;
    if (ended) {
      upload.close();
      return;
    }
    try {
      upload.onDrop(executor, this::dropped);
      stage(request);
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

  private void stage(WriteWeightsRequest request) {
    if (!request.getModel().isEmpty() && !request.getModel().equals(model)) {
      throw Refusals.invalidField(
          "model", '"' + request.getModel() + '"', "\"" + model + "\", or empty");
    }
    request.getChunksList().forEach(upload::stage);
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
        throw Refusals.invalidField("model", "absent", "a first message that names the model");
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
