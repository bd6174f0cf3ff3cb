package io.muond.server.rpc;

import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.StatusRuntimeException;
import io.muond.server.log.Printable;
import io.muond.server.model.ServerRefusals;
import io.muond.wire.Protocol;
import java.util.regex.Pattern;

/** Refuses clients that say that they speak another protocol than this server. */
final class Handshake implements ServerInterceptor {
  private static final Pattern REVISION = Pattern.compile("[0-9]{1,9}");

  private static boolean isSpoken(String revision) {
    return REVISION.matcher(revision).matches() && Protocol.OURS.speaks(Integer.parseInt(revision));
  }

  /** Whether it is this protocol's; others have no revisions. */
  private static boolean isOwn(MethodDescriptor<?, ?> method) {
    return method.getFullMethodName().startsWith("muond.");
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    String revision = headers.get(Protocol.REVISION);
    if (revision == null || isSpoken(revision) || !isOwn(call.getMethodDescriptor())) {
      return next.startCall(call, headers);
    }
    String client = headers.get(Protocol.CLIENT);
    StatusRuntimeException refusal =
        Errors.status(
            ServerRefusals.protocolNotSpoken(
                client == null ? "" : Printable.of(client),
                Printable.of(revision),
                Protocol.OURS.oldest(),
                Protocol.OURS.newest(),
                ServerRpc.version()));
    call.close(refusal.getStatus(), refusal.getTrailers());
    return new ServerCall.Listener<>() {};
  }
}
