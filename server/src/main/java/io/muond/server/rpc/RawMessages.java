package io.muond.server.rpc;

import io.grpc.MethodDescriptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import java.io.InputStream;

/**
 * Leaves messages as they came until the interceptors have been passed. So what cannot be parsed is
 * thrown where {@link FaultInterceptor} catches it; gRPC itself would call it UNKNOWN.
 */
final class RawMessages implements MethodDescriptor.Marshaller<InputStream> {
  static final RawMessages INSTANCE = new RawMessages();

  private RawMessages() {}

  static ServerServiceDefinition of(ServerServiceDefinition service) {
    return ServerInterceptors.useMarshalledMessages(service, INSTANCE);
  }

  @Override
  public InputStream stream(InputStream message) {
    return message;
  }

  @Override
  public InputStream parse(InputStream message) {
    return message;
  }
}
