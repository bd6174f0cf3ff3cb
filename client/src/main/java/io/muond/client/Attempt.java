package io.muond.client;

import io.grpc.CallOptions;
import io.grpc.ClientStreamTracer;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/** One try of a call; knows whether anything of it left the client. */
final class Attempt extends ClientStreamTracer.Factory {
  private volatile boolean sent;
  private volatile boolean gaveUpConnecting;

  /** The options that make the call report to this attempt. */
  CallOptions trace(CallOptions options) {
    return options.withStreamTracerFactory(this);
  }

  /** False only if the server provably got nothing of the call. */
  boolean sent() {
    return sent;
  }

  /** For calls on a stream that is open already. */
  void markSent() {
    sent = true;
  }

  /** Marks the attempt as one that never got out; false if it has. */
  boolean giveUpConnecting() {
    gaveUpConnecting = !sent;
    return gaveUpConnecting;
  }

  /** What a failure of this attempt means. */
  MuondException explain(Throwable failure) {
    return gaveUpConnecting
        ? Errors.of(Status.Code.UNAVAILABLE, "it does not answer")
        : Errors.of(failure);
  }

  @Override
  public ClientStreamTracer newClientStreamTracer(
      ClientStreamTracer.StreamInfo info, Metadata headers) {
    return new ClientStreamTracer() {
      @Override
      public void outboundHeaders() {
        sent = true;
      }
    };
  }

  /** How a call is tried once. */
  interface Call<T> extends Function<Attempt, CompletableFuture<T>> {}
}
