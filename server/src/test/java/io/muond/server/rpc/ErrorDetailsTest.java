package io.muond.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RequestInfo;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import io.muond.server.security.Security;
import io.muond.v1.ErrorReason;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every reason that the protocol knows, provoked, and what comes with it. */
class ErrorDetailsTest {
  private static final String ID = "errors-of-17";
  private static final Set<ErrorReason> LATER =
      EnumSet.of(ErrorReason.SHUTTING_DOWN, ErrorReason.QUOTA_EXCEEDED);

  @TempDir Path directory;

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"REASON_UNSPECIFIED", "UNRECOGNIZED"})
  void comesWithWhatItIs(ErrorReason reason) throws IOException {
    Path data = directory.resolve("data");
    Optional<Path> place =
        reason == ErrorReason.NO_DATA_DIRECTORY ? Optional.empty() : Optional.of(data);
    try (TestServer server = new TestServer(Duration.ofMillis(500), Duration.ofMillis(20), place);
        Security security = security();
        GrpcServer demanding = demanding(server, security)) {
      ManagedChannel other = channel(demanding.port());
      try {
        Provocations all =
            new Provocations(server, identified(server.channel), identified(other), data);
        check(
            reason, catchThrowableOfType(StatusRuntimeException.class, () -> all.provoke(reason)));
      } finally {
        other.shutdownNow();
      }
    }
  }

  private static Channel identified(Channel channel) {
    Metadata id = new Metadata();
    id.put(Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER), ID);
    return ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(id));
  }

  private Security security() throws IOException {
    Path tokens =
        Files.writeString(directory.resolve("tokens"), "alice secret-of-alice-0123456789\n");
    Path quotas =
        Files.writeString(
            directory.resolve("quotas.json"),
            "{\"default\": {\"requests_per_second\": 0.1, \"burst\": 1}}");
    try {
      return new Security(
          new Security.Files(
              Optional.empty(),
              Optional.empty(),
              Optional.empty(),
              Optional.of(tokens),
              Optional.of(quotas)));
    } catch (io.muond.files.BadFileException e) {
      throw new IOException(e);
    }
  }

  private static GrpcServer demanding(TestServer server, Security security) throws IOException {
    return new GrpcServer(
        new GrpcServer.Settings(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), true, 10),
        server.host,
        security,
        EnginesServer.NO_METRICS);
  }

  private static ManagedChannel channel(int port) {
    return Grpc.newChannelBuilder("127.0.0.1:" + port, InsecureChannelCredentials.create()).build();
  }

  private static void check(ErrorReason reason, StatusRuntimeException failure)
      throws InvalidProtocolBufferException {
    com.google.rpc.Status status = StatusProto.fromThrowable(failure);
    List<Any> details = status.getDetailsList();
    ErrorInfo info = details.get(0).unpack(ErrorInfo.class);
    assertThat(info.getReason()).isEqualTo(reason.name());
    assertThat(info.getDomain()).isEqualTo("muond.io");
    assertThat(status.getMessage()).isEqualTo(failure.getStatus().getDescription()).isNotEmpty();
    assertThat(details.get(details.size() - 1).unpack(RequestInfo.class).getRequestId())
        .isEqualTo(ID);
    assertThat(find(details, RetryInfo.class).isPresent()).isEqualTo(LATER.contains(reason));
    checkForCode(reason, failure.getStatus().getCode(), status);
  }

  private static void checkForCode(
      ErrorReason reason, Status.Code code, com.google.rpc.Status status)
      throws InvalidProtocolBufferException {
    List<Any> details = status.getDetailsList();
    switch (code) {
      case INVALID_ARGUMENT -> {
        BadRequest.FieldViolation violation =
            find(details, BadRequest.class).orElseThrow().getFieldViolations(0);
        assertThat(violation.getField()).matches("[a-z_.]+");
        assertThat(violation.getDescription()).isEqualTo(status.getMessage());
        assertThat(violation.getReason()).isEqualTo(reason.name());
      }
      case NOT_FOUND, ALREADY_EXISTS -> {
        ResourceInfo resource = find(details, ResourceInfo.class).orElseThrow();
        assertThat(resource.getResourceType()).matches("muond.v1.(Model|Checkpoint)|service");
        assertThat(resource.getDescription()).isEqualTo(status.getMessage());
        assertThat(status.getMessage()).contains(resource.getResourceName());
        assertThat(resource.getResourceName().isEmpty())
            .isEqualTo(reason == ErrorReason.SERVICE_NOT_FOUND);
      }
      case FAILED_PRECONDITION -> {
        PreconditionFailure.Violation violation =
            find(details, PreconditionFailure.class).orElseThrow().getViolations(0);
        assertThat(violation.getType()).isEqualTo(reason.name());
        assertThat(violation.getSubject()).matches("(model:m|device:0|client:|server)");
        assertThat(violation.getDescription()).isEqualTo(status.getMessage());
      }
      case RESOURCE_EXHAUSTED -> {
        QuotaFailure.Violation violation =
            find(details, QuotaFailure.class).orElseThrow().getViolations(0);
        assertThat(violation.getSubject()).matches("(principal:alice|device:0|server)");
        assertThat(violation.getDescription()).isEqualTo(status.getMessage());
      }
      default -> assertThat(details).hasSize(LATER.contains(reason) ? 3 : 2);
    }
  }

  private static <T extends Message> Optional<T> find(List<Any> details, Class<T> kind)
      throws InvalidProtocolBufferException {
    for (Any detail : details) {
      if (detail.is(kind)) {
        return Optional.of(detail.unpack(kind));
      }
    }
    return Optional.empty();
  }
}
