package io.muond.server.rpc;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthGrpc;
import io.muond.server.model.Refusals;
import io.muond.v1.StepServiceGrpc;

/** Refuses calls before they begin while the server comes to its end. Health is for everybody. */
final class Door implements ServerInterceptor {
  private volatile Width width = Width.OPEN;

  private enum Width {
    OPEN,
    /** Steps that are open are filled and committed by further calls. Models refuse new steps. */
    STEPS,
    CLOSED
  }

  /** Lets in only what may belong to a step that is open. */
  void narrow() {
    width = Width.STEPS;
  }

  /** Lets nothing in. */
  void close() {
    width = Width.CLOSED;
  }

  boolean isClosed() {
    return width == Width.CLOSED;
  }

  private boolean refuses(String service) {
    return switch (width) {
      case OPEN -> false;
      case STEPS ->
          !HealthGrpc.SERVICE_NAME.equals(service) && !StepServiceGrpc.SERVICE_NAME.equals(service);
      case CLOSED -> !HealthGrpc.SERVICE_NAME.equals(service);
    };
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    if (refuses(call.getMethodDescriptor().getServiceName())) {
      StatusRuntimeException refusal = Errors.status(Refusals.shuttingDown());
      call.close(refusal.getStatus(), refusal.getTrailers());
      return new ServerCall.Listener<>() {};
    }
    return next.startCall(call, headers);
  }
}
