package io.muond.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.CallOptions;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.stub.ClientCalls;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.GetModelRequest;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.ParameterList;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a server takes at most, and that who goes beyond harms nobody else. */
class LimitsTest {
  private static TestServer server;

  @BeforeAll
  static void start() {
    server = new TestServer();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  /** Messages are sent as they are. */
  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      return new byte[0];
    }
  }

  private static String refusalOf(MethodDescriptor<?, ?> method, byte[] message) {
    MethodDescriptor<byte[], byte[]> raw = method.toBuilder(new Bytes(), new Bytes()).build();
    return TestClient.refusal(
        () ->
            ClientCalls.blockingServerStreamingCall(
                    server.channel, raw, CallOptions.DEFAULT, message)
                .forEachRemaining(answer -> {}));
  }

  /** Health and reflection are gRPC's own, and treated as the other services are. */
  @Test
  void bytesThatAreNoMessage() {
    byte[] garbage = {(byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 1};
    List<MethodDescriptor<?, ?>> methods =
        List.of(
            HealthGrpc.getCheckMethod(),
            HealthGrpc.getWatchMethod(),
            ServerReflectionGrpc.getServerReflectionInfoMethod());
    for (MethodDescriptor<?, ?> method : methods) {
      assertThat(refusalOf(method, garbage))
          .as(method.getFullMethodName())
          .isEqualTo("INVALID_ARGUMENT/CALL_MALFORMED");
    }
  }

  /** The transport refuses it, before it is all there; what else is on its connection goes on. */
  @ParameterizedTest
  @ValueSource(ints = {GrpcServer.MAX_MESSAGE_BYTES + (64 << 10) + 1, 100 << 20})
  void aMessageThatIsTooLarge(int bytes) throws Exception {
    Collector<HealthCheckResponse> watch = new Collector<>();
    HealthGrpc.newStub(server.channel).watch(HealthCheckRequest.getDefaultInstance(), watch);
    assertThat(watch.first().getStatus()).isEqualTo(ServingStatus.SERVING);
    MethodDescriptor<byte[], byte[]> raw =
        ModelServiceGrpc.getGetModelMethod().toBuilder(new Bytes(), new Bytes()).build();
    assertThatThrownBy(
            () ->
                ClientCalls.blockingUnaryCall(
                    server.channel, raw, CallOptions.DEFAULT, new byte[bytes]))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> {
              assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
              assertThat(e.getStatus().getDescription()).contains("maximum size 4259840");
            });
    healthy();
    assertThat(watch.isDone()).isFalse();
  }

  private static void healthy() {
    assertThat(
            HealthGrpc.newBlockingStub(server.channel)
                .check(HealthCheckRequest.getDefaultInstance())
                .getStatus())
        .isEqualTo(ServingStatus.SERVING);
  }

  @Test
  void moreParametersThanAModelMayHave() {
    CreateModelRequest.Builder request =
        TestClient.small("m").setParameters(ParameterList.newBuilder());
    for (int i = 0; i <= 100_000; i++) {
      request.getParametersBuilder().addParametersBuilder().setName("p" + i).addShape(2);
    }
    assertThat(TestClient.refusal(() -> server.client().create(request)))
        .isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
  }

  @Test
  void aNameThatIsTooLong() {
    assertThat(TestClient.refusal(() -> server.client().create(TestClient.small("m".repeat(129)))))
        .isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
  }

  /** Those who have a connection go on, those who come later are turned away at once. */
  @Test
  void moreConnectionsThanThereMayBe() throws IOException {
    healthy();
    List<Socket> sockets = new ArrayList<>();
    try {
      int port = server.server().port();
      for (int i = 0; i < EnginesServer.MAX_CONNECTIONS + 1_000; i++) {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(20_000);
        sockets.add(socket);
      }
      // The channel's own is one of them. A server says something first: its settings.
      List<Socket> later = sockets.subList(EnginesServer.MAX_CONNECTIONS - 1, sockets.size());
      for (Socket socket : later) {
        assertThat(isClosed(socket)).isTrue();
      }
      assertThat(sockets.get(EnginesServer.MAX_CONNECTIONS - 2).getInputStream().read()).isZero();
      healthy();
      assertThat(
              TestClient.refusal(
                  () ->
                      server
                          .client()
                          .models()
                          .getModel(GetModelRequest.newBuilder().setModel("none").build())))
          .isEqualTo("NOT_FOUND/MODEL_NOT_FOUND");
    } finally {
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }

  private static boolean isClosed(Socket socket) {
    try {
      return socket.getInputStream().read() < 0;
    } catch (IOException reset) {
      return true;
    }
  }
}
