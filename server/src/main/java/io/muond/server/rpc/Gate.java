package io.muond.server.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthGrpc;
import io.muond.server.log.Printable;
import io.muond.server.log.RequestScope;
import io.muond.server.model.Refusals;
import io.muond.server.security.Caller;
import io.muond.server.security.Security;
import io.muond.v1.CheckpointServiceGrpc;
import io.muond.v1.ErrorReason;
import io.muond.v1.ModelServiceGrpc;
import java.net.SocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;

/**
 * Lets calls in: those whose caller is known and has not had all that it may have. What it refuses,
 * and what changes which models there are, goes to the audit log. Health is for everybody.
 */
final class Gate implements ServerInterceptor {
  private static final Set<String> AUDITED =
      Set.of(
          ModelServiceGrpc.getCreateModelMethod().getFullMethodName(),
          ModelServiceGrpc.getDeleteModelMethod().getFullMethodName(),
          CheckpointServiceGrpc.getRestoreCheckpointMethod().getFullMethodName(),
          CheckpointServiceGrpc.getDeleteCheckpointMethod().getFullMethodName());

  /** Refusals of who calls, of what is another's, of more than one may have. */
  private static final Set<String> AUDITED_REASONS =
      Set.of(
          ErrorReason.UNAUTHENTICATED.name(),
          ErrorReason.MODEL_NOT_FOUND.name(),
          ErrorReason.QUOTA_EXCEEDED.name());

  private final Security security;
  private final Connections connections;
  private final Door door;
  private final Backlog backlog;
  private final Map<Object, Live> live = new ConcurrentHashMap<>();

  /** A call under way. */
  private record Live(
      Caller caller,
      RequestScope scope,
      SocketAddress peer,
      String method,
      BooleanSupplier received) {
    private static final String OWN = "muond.";

    /**
     * Whether an answer is owed. None is while more is to come of the request, nor by calls that
     * tell of the server itself, for as long as their clients like.
     */
    private boolean isOwed() {
      return method.startsWith(OWN) && received.getAsBoolean();
    }

    @Override
    public String toString() {
      return method
          + (scope.model().isEmpty() ? "" : " of model \"" + scope.model() + '"')
          + (caller.principal().isEmpty() ? "" : " by \"" + caller.principal() + '"')
          + " from "
          + Printable.address(peer);
    }
  }

  /**
   * @param door refuses requests of which the end comes too late
   * @param backlog is told of calls whose clients do not take what they are sent
   */
  Gate(Security security, Connections connections, Door door, Backlog backlog) {
    this.backlog = requireNonNull(backlog, "backlog is null");
    this.door = requireNonNull(door, "door is null");
    this.security = requireNonNull(security, "security is null");
    this.connections = requireNonNull(connections, "connections is null");
  }

  /** The calls under way that are owed an answer. */
  List<String> owed() {
    return live.values().stream().filter(Live::isOwed).map(Live::toString).toList();
  }

  /** Ends the connections of those whose calls go on though a new one would be refused. */
  void endUnknown() {
    for (Live call : live.values()) {
      if (!call.caller().isStillKnown()) {
        connections.end(call.peer());
        security
            .audit()
            .note(
                call.caller().principal(),
                call.peer(),
                call.method(),
                "",
                "connection ended: the credential is no longer valid");
      }
    }
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    String service = call.getMethodDescriptor().getServiceName();
    if (HealthGrpc.SERVICE_NAME.equals(service)) {
      return next.startCall(call, headers);
    }
    Audited<Q, R> audited = new Audited<>(call);
    try {
      audited.caller = security.authenticator().caller(headers, call.getAttributes());
      audited.end = security.quotas().admit(audited.caller.principal());
    } catch (Throwable refusal) {
      audited.refuse(refusal);
      return new ServerCall.Listener<>() {};
    }
    audited.scope.by(audited.caller.principal());
    live.put(
        audited,
        new Live(
            audited.caller, audited.scope, audited.peer, audited.method, () -> audited.received));
    Context context = Context.current().withValue(Caller.KEY, audited.caller);
    try {
      return audited.watch(Contexts.interceptCall(context, audited, headers, next));
    } catch (Throwable failure) {
      audited.ended();
      throw failure;
    }
  }

  /** A call that may leave a line in the audit log when it is closed. */
  private final class Audited<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private final SocketAddress peer = getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
    private final String method = getMethodDescriptor().getFullMethodName();
    private final RequestScope scope = RequestScope.current();
    private final MethodDescriptor.MethodType type = getMethodDescriptor().getType();

    /** Whether all of the request is here; of a conversation always. */
    private volatile boolean received = type == MethodDescriptor.MethodType.BIDI_STREAMING;

    private final AtomicBoolean noted = new AtomicBoolean();
    private Caller caller;
    private Runnable end = () -> {};

    private Audited(ServerCall<Q, R> call) {
      super(call);
    }

    @Override
    public void sendMessage(R message) {
      super.sendMessage(message);
      if (!isReady()) {
        backlog.stands(this, peer);
        if (isReady()) {
          // It went on in between, of which it was told before.
          backlog.moves(this);
        }
      }
    }

    private void refuse(Throwable refusal) {
      StatusRuntimeException failure = Errors.status(refusal);
      close(failure.getStatus(), failure.getTrailers());
      if (!security.authenticator().isValid(getAttributes())) {
        // A renewed certificate is shown on a new connection only.
        connections.retire(peer);
      }
    }

    @Override
    public void close(Status status, Metadata trailers) {
      Errors.Reason reason = Errors.reason(status, trailers);
      boolean told = AUDITED_REASONS.contains(reason.name()) && security.isAuthenticating();
      boolean quota = reason.name().equals(ErrorReason.QUOTA_EXCEEDED.name());
      if (told || quota || AUDITED.contains(method)) {
        note(reason.model(), status.getCode() + (status.isOk() ? "" : "/" + reason.name()));
      }
      super.close(status, trailers);
    }

    private void note(String model, String outcome) {
      if (noted.compareAndSet(false, true)) {
        String about = scope.model().isEmpty() ? model : scope.model();
        String who = caller == null ? null : caller.principal();
        scope.run(() -> security.audit().note(who, peer, method, about, outcome));
      }
    }

    private void ended() {
      backlog.moves(this);
      if (live.remove(this) != null) {
        end.run();
      }
    }

    private ServerCall.Listener<Q> watch(ServerCall.Listener<Q> listener) {
      return new SimpleForwardingServerCallListener<>(listener) {
        @Override
        public void onHalfClose() {
          if (type.clientSendsOneMessage() && door.isClosed()) {
            refuse(Refusals.shuttingDown());
          } else {
            received = true;
            super.onHalfClose();
          }
        }

        @Override
        public void onReady() {
          backlog.moves(Audited.this);
          super.onReady();
        }

        @Override
        public void onCancel() {
          if (AUDITED.contains(method)) {
            note("", "the client left before the answer");
          }
          ended();
          super.onCancel();
        }

        @Override
        public void onComplete() {
          ended();
          super.onComplete();
        }
      };
    }
  }
}
