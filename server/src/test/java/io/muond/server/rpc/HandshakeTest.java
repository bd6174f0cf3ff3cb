package io.muond.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.rpc.ErrorInfo;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.v1.ErrorReason;
import io.muond.v1.GetServerInfoRequest;
import io.muond.v1.GetServerInfoResponse;
import io.muond.v1.ServerServiceGrpc;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Client and server tell each other what they speak. */
class HandshakeTest {
  private static final Metadata.Key<String> REVISION = key("muond-protocol");

  private TestServer server;

  @BeforeEach
  void start() {
    server = new TestServer();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static Metadata speaking(String revision) {
    Metadata headers = new Metadata();
    headers.put(REVISION, revision);
    headers.put(key("muond-client"), "tests/7.8.9");
    return headers;
  }

  private GetServerInfoResponse info(Metadata headers) {
    return ServerServiceGrpc.newBlockingStub(server.channel)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
        .getServerInfo(GetServerInfoRequest.getDefaultInstance());
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "2", "999999999", "99999999999999999999", "-1", "one", ""})
  void whatIsNotSpokenIsRefused(String revision) {
    StatusRuntimeException refusal =
        catchThrowableOfType(StatusRuntimeException.class, () -> info(speaking(revision)));
    assertThat(refusal.getStatus().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
    assertThat(refusal.getStatus().getDescription())
        .isEqualTo(
            "muond-protocol: "
                + revision
                + ", of the client tests/7.8.9 (expected: 1, which this server, muond development,"
                + " speaks)");
    ErrorInfo info = TestClient.info(refusal);
    assertThat(info.getReason()).isEqualTo("PROTOCOL_NOT_SPOKEN");
    assertThat(info.getMetadataMap())
        .containsEntry("client", "tests/7.8.9")
        .containsEntry("protocol", revision)
        .containsEntry("oldest", "1")
        .containsEntry("newest", "1")
        .containsKey("version");
    assertThat(
            HealthGrpc.newBlockingStub(server.channel)
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(speaking(revision)))
                .check(HealthCheckRequest.getDefaultInstance())
                .getStatus())
        .isEqualTo(ServingStatus.SERVING);
  }

  @Test
  void whatIsSpokenIsServedAndSoIsWhoSaysNothing() {
    AtomicReference<Metadata> answer = new AtomicReference<>();
    GetServerInfoResponse info =
        ServerServiceGrpc.newBlockingStub(server.channel)
            .withInterceptors(
                MetadataUtils.newCaptureMetadataInterceptor(answer, new AtomicReference<>()))
            .getServerInfo(GetServerInfoRequest.getDefaultInstance());
    assertThat(answer.get().get(REVISION)).isEqualTo("1-1");
    assertThat(info.getOldestProtocol()).isEqualTo(1);
    assertThat(info.getNewestProtocol()).isEqualTo(1);
    assertThat(info(speaking("1")).getNewestProtocol()).isEqualTo(1);
  }

  /** A server of another time, which answers all the same. */
  private static Server speaks(String range) throws Exception {
    return Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
        .addService(
            new ServerServiceGrpc.ServerServiceImplBase() {
              @Override
              public void getServerInfo(
                  GetServerInfoRequest request, StreamObserver<GetServerInfoResponse> call) {
                call.onNext(GetServerInfoResponse.getDefaultInstance());
                call.onCompleted();
              }
            })
        .intercept(
            new ServerInterceptor() {
              @Override
              public <Q, R> ServerCall.Listener<Q> interceptCall(
                  ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
                return next.startCall(
                    new SimpleForwardingServerCall<>(call) {
                      @Override
                      public void sendHeaders(Metadata answer) {
                        if (!range.isEmpty()) {
                          answer.put(REVISION, range);
                        }
                        super.sendHeaders(answer);
                      }
                    },
                    headers);
              }
            })
        .build()
        .start();
  }

  @Test
  void theJavaClientRefusesAServerThatDoesNotSpeakItsRevision() throws Exception {
    Server other = speaks("2-3");
    try (MuondClient client = MuondClient.connect("127.0.0.1:" + other.getPort())) {
      MuondException refusal = catchThrowableOfType(MuondException.class, client::serverInfo);
      assertThat(refusal)
          .hasMessage(
              "the server 127.0.0.1:%d speaks revisions 2-3 of the protocol (expected: 1, which this"
                      .formatted(other.getPort())
                  + " client, java/development, speaks)");
      assertThat(refusal.code()).isEqualTo(Status.Code.FAILED_PRECONDITION);
      assertThat(refusal.is(ErrorReason.PROTOCOL_NOT_SPOKEN)).isTrue();
      assertThat(refusal.requestId()).matches("[0-9a-f]{16}");
    } finally {
      other.shutdownNow();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1-4", "soon"})
  void theJavaClientTakesOthers(String range) throws Exception {
    Server other = speaks(range);
    try (MuondClient client = MuondClient.connect("127.0.0.1:" + other.getPort())) {
      assertThat(client.serverInfo()).isEqualTo(GetServerInfoResponse.getDefaultInstance());
    } finally {
      other.shutdownNow();
    }
  }
}
