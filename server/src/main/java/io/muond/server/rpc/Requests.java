package io.muond.server.rpc;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.muond.server.log.Printable;
import io.muond.server.log.RequestScope;
import io.muond.v1.ErrorReason;
import io.muond.wire.Protocol;
import java.security.SecureRandom;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Set;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives every call an id, the client's if it sends one, by which its answer, its error and the log
 * can be brought together, and says in the answer what the server speaks. The logger "access" has a
 * line for each call: at INFO if it failed by a fault of the server's, otherwise at DEBUG.
 */
final class Requests implements ServerInterceptor {
  private static final Logger access = LoggerFactory.getLogger("access");

  private static final Pattern USABLE = Pattern.compile("[!-~]{1,64}");
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final double NANOS_PER_MILLI = 1e6;
  private static final Set<Status.Code> FAULTS =
      EnumSet.of(Status.Code.INTERNAL, Status.Code.UNKNOWN, Status.Code.DATA_LOSS);
  private static final Set<String> FAULT_REASONS =
      Set.of(
          ErrorReason.STORAGE_FAILED.name(),
          ErrorReason.DEVICE_LOST.name(),
          ErrorReason.HOST_MEMORY.name());

  private static String id(Metadata headers) {
    String given = headers.get(Protocol.REQUEST_ID);
    return given != null && USABLE.matcher(given).matches()
        ? given
        : HexFormat.of().toHexDigits(RANDOM.nextLong());
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    String peer = Printable.address(call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR));
    RequestScope scope =
        RequestScope.of(id(headers), call.getMethodDescriptor().getFullMethodName(), peer);
    Identified<Q, R> identified = new Identified<>(call, scope);
    return scope.call(() -> identified.listen(next.startCall(identified, headers)));
  }

  /** A call with an id. */
  private static final class Identified<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private final RequestScope scope;
    private final long begun = System.nanoTime();
    private boolean answering;

    private Identified(ServerCall<Q, R> call, RequestScope scope) {
      super(call);
      this.scope = scope;
    }

    @Override
    public void sendHeaders(Metadata headers) {
      answering = true;
      introduce(headers);
      super.sendHeaders(headers);
    }

    private void introduce(Metadata answer) {
      answer.put(Protocol.REQUEST_ID, scope.request());
      answer.put(Protocol.REVISION, Protocol.OURS.toString());
    }

    @Override
    public void close(Status status, Metadata trailers) {
      if (!answering) {
        introduce(trailers);
      }
      Status told = Errors.complete(status, trailers, scope.request());
      scope.run(() -> log(told, Errors.reason(told, trailers).name()));
      super.close(told, trailers);
    }

    private void log(Status status, String reason) {
      boolean fault = FAULTS.contains(status.getCode()) || FAULT_REASONS.contains(reason);
      org.slf4j.event.Level level =
          fault ? org.slf4j.event.Level.INFO : org.slf4j.event.Level.DEBUG;
      if (access.isEnabledForLevel(level)) {
        access
            .atLevel(level)
            .log(
                "{}{}{} in {} ms",
                status.getCode(),
                reason.isEmpty() ? "" : "/" + reason,
                status.getDescription() == null
                    ? ""
                    : ": " + Printable.line(status.getDescription()),
                Math.round((System.nanoTime() - begun) / NANOS_PER_MILLI));
      }
    }

    private ServerCall.Listener<Q> listen(ServerCall.Listener<Q> listener) {
      return new SimpleForwardingServerCallListener<>(listener) {
        @Override
        public void onMessage(Q message) {
          scope.run(() -> super.onMessage(message));
        }

        @Override
        public void onHalfClose() {
          scope.run(super::onHalfClose);
        }

        @Override
        public void onReady() {
          scope.run(super::onReady);
        }

        @Override
        public void onCancel() {
          scope.run(
              () -> {
                log(Status.CANCELLED.withDescription("by the client"), "");
                super.onCancel();
              });
        }

        @Override
        public void onComplete() {
          scope.run(super::onComplete);
        }
      };
    }
  }
}
