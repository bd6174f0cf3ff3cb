package io.muond.client;

import io.grpc.stub.StreamObserver;

/** A stream of requests whose handling may fail, which ends the call. */
abstract class FakeRequests<Q> implements StreamObserver<Q> {
  private final StreamObserver<?> answer;
  private boolean failed;

  FakeRequests(StreamObserver<?> answer) {
    this.answer = answer;
  }

  abstract void take(Q request);

  abstract void end();

  @Override
  public void onNext(Q request) {
    if (failed) {
      return;
    }
    try {
      take(request);
    } catch (RuntimeException e) {
      failed = true;
      answer.onError(e);
    }
  }

  @Override
  public void onError(Throwable failure) {
    failed = true;
  }

  @Override
  public void onCompleted() {
    if (!failed) {
      end();
    }
  }
}
