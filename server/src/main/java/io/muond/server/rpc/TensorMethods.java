package io.muond.server.rpc;

import com.google.protobuf.MessageLite;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.muond.wire.ChunkedMessage;
import io.muond.wire.Marshallers;
import io.muond.wire.OutgoingMessage;
import java.util.LinkedHashMap;
import java.util.Map;

/** A service some of whose methods have messages with tensors, which protobuf is kept out of. */
final class TensorMethods {
  private final ServerServiceDefinition service;
  private final Map<String, ServerMethodDefinition<?, ?>> replaced = new LinkedHashMap<>();

  /**
   * @param service as protobuf has it
   */
  TensorMethods(ServerServiceDefinition service) {
    this.service = service;
  }

  /** Requests with tensors. */
  <Q extends MessageLite, R> TensorMethods in(
      MethodDescriptor<Q, R> method, Q prototype, ServerCallHandler<ChunkedMessage<Q>, R> handler) {
    return replace(
        method.toBuilder(Marshallers.received(prototype), method.getResponseMarshaller()).build(),
        handler);
  }

  /** Answers with tensors. */
  <Q, R> TensorMethods out(
      MethodDescriptor<Q, R> method, ServerCallHandler<Q, OutgoingMessage> handler) {
    return replace(
        method.toBuilder(method.getRequestMarshaller(), Marshallers.sent()).build(), handler);
  }

  /** Requests and answers with tensors. */
  <Q extends MessageLite, R> TensorMethods inOut(
      MethodDescriptor<Q, R> method,
      Q prototype,
      ServerCallHandler<ChunkedMessage<Q>, OutgoingMessage> handler) {
    return replace(
        method.toBuilder(Marshallers.received(prototype), Marshallers.sent()).build(), handler);
  }

  private <Q, R> TensorMethods replace(
      MethodDescriptor<Q, R> method, ServerCallHandler<Q, R> handler) {
    replaced.put(method.getFullMethodName(), ServerMethodDefinition.create(method, handler));
    return this;
  }

  /** The service with these methods in place of its own. */
  ServerServiceDefinition build() {
    ServiceDescriptor old = service.getServiceDescriptor();
    ServiceDescriptor.Builder descriptor =
        ServiceDescriptor.newBuilder(old.getName()).setSchemaDescriptor(old.getSchemaDescriptor());
    service.getMethods().forEach(m -> descriptor.addMethod(method(m).getMethodDescriptor()));
    ServerServiceDefinition.Builder builder = ServerServiceDefinition.builder(descriptor.build());
    service.getMethods().forEach(m -> builder.addMethod(method(m)));
    return builder.build();
  }

  private ServerMethodDefinition<?, ?> method(ServerMethodDefinition<?, ?> old) {
    return replaced.getOrDefault(old.getMethodDescriptor().getFullMethodName(), old);
  }
}
