package io.muond.client;

import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.muond.v1.ErrorReason;
import io.muond.wire.Protocol;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Says with every call who calls, in which revision of the protocol, and the call's id; fails calls
 * to a server that says that it does not speak that revision.
 */
final class Introduction implements ClientInterceptor {
  /** The revision that this client speaks. */
  private static final int REVISION = Protocol.OURS.newest();

  private static final String NAME = "java/" + version();

  private final String server;

  /**
   * @param server to be named
   */
  Introduction(String server) {
    this.server = server;
  }

  private static String version() {
    String version = Introduction.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      public void start(Listener<R> listener, Metadata headers) {
        String id = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
        headers.put(Protocol.REQUEST_ID, id);
        headers.put(Protocol.CLIENT, NAME);
        headers.put(Protocol.REVISION, Integer.toString(REVISION));
        super.start(new Answered<>(listener, this, id), headers);
      }
    };
  }

  /** Looks at what the server says of itself. */
  private final class Answered<R> extends SimpleForwardingClientCallListener<R> {
    private final ClientCall<?, R> call;
    private final String id;
    private StatusRuntimeException refusal;

    private Answered(ClientCall.Listener<R> listener, ClientCall<?, R> call, String id) {
      super(listener);
      this.call = call;
      this.id = id;
    }

    @Override
    public void onHeaders(Metadata headers) {
      Protocol theirs = Protocol.ofServer(headers.get(Protocol.REVISION));
      if (theirs.speaks(REVISION)) {
        super.onHeaders(headers);
      } else {
        refusal = notSpoken(theirs);
        call.cancel(refusal.getMessage(), null);
      }
    }

    @Override
    public void onMessage(R message) {
      if (refusal == null) {
        super.onMessage(message);
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      Metadata told = refusal == null ? trailers : refusal.getTrailers();
      if (!told.containsKey(Protocol.REQUEST_ID)) {
        told.put(Protocol.REQUEST_ID, id);
      }
      super.onClose(refusal == null ? status : refusal.getStatus(), told);
    }
  }

  private StatusRuntimeException notSpoken(Protocol theirs) {
    String message =
        "the server %s speaks revisions %s of the protocol (expected: %d, which this client, %s, speaks)"
            .formatted(server, theirs, REVISION, NAME);
    ErrorInfo info =
        ErrorInfo.newBuilder()
            .setDomain(Errors.DOMAIN)
            .setReason(ErrorReason.PROTOCOL_NOT_SPOKEN.name())
            .putMetadata("client", NAME)
            .putMetadata("protocol", Integer.toString(REVISION))
            .putMetadata("oldest", Integer.toString(theirs.oldest()))
            .putMetadata("newest", Integer.toString(theirs.newest()))
            .build();
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder()
            .setCode(Status.Code.FAILED_PRECONDITION.value())
            .setMessage(message)
            .addDetails(Any.pack(info))
            .build());
  }
}
