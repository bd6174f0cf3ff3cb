package io.muond.server.rpc;

import io.grpc.HandlerRegistry;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerMethodDefinition;
import io.grpc.StatusRuntimeException;
import io.muond.server.model.ServerRefusals;
import java.io.InputStream;

/** Answers calls of methods that there are not. By itself gRPC would, past all interceptors. */
final class UnknownMethods extends HandlerRegistry {
  @Override
  public ServerMethodDefinition<?, ?> lookupMethod(String method, String authority) {
    MethodDescriptor<InputStream, InputStream> any =
        MethodDescriptor.<InputStream, InputStream>newBuilder()
            .setType(MethodDescriptor.MethodType.UNKNOWN)
            .setFullMethodName(method)
            .setRequestMarshaller(RawMessages.INSTANCE)
            .setResponseMarshaller(RawMessages.INSTANCE)
            .build();
    return ServerMethodDefinition.create(
        any,
        (call, headers) -> {
          StatusRuntimeException refusal = Errors.status(ServerRefusals.methodNotFound(method));
          call.close(refusal.getStatus(), refusal.getTrailers());
          return new ServerCall.Listener<>() {};
        });
  }
}
