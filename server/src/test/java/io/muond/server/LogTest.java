package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.rpc.RequestInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.Tensor;
import io.muond.v1.CheckpointServiceGrpc;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.ErrorReason;
import io.muond.v1.GetModelRequest;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.SaveCheckpointRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the daemon logs of calls, as JSON, and what clients learn of their calls' ids. */
class LogTest {
  private static final String TOKEN = "secret-0123456789-of-alice";
  private static final Metadata.Key<String> ID =
      Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER);

  @TempDir static Path directory;

  private static DaemonProcess daemon;
  private static MuondClient client;
  private static ManagedChannel channel;

  @BeforeAll
  static void start() throws IOException {
    Path tokens = Files.writeString(directory.resolve("tokens"), "alice " + TOKEN + "\n");
    daemon =
        DaemonProcess.serve(
            directory,
            "--engine=cpu",
            "--log-format=json",
            "--log-level=debug",
            "--token-file=" + tokens,
            "--data-dir=" + directory.resolve("data"));
    Path token = Files.writeString(directory.resolve("token"), TOKEN);
    client = MuondClient.builder(daemon.grpc()).token(token).build();
    channel = Grpc.newChannelBuilder(daemon.grpc(), InsecureChannelCredentials.create()).build();
  }

  @AfterAll
  static void stop() throws Exception {
    client.close();
    channel.shutdownNow();
    assertThat(daemon.terminate()).isZero();
    // All of it, to the last line.
    assertThat(lines()).hasSizeGreaterThan(5).allSatisfy(LogTest::assertLine);
    assertThat(daemon.stderr()).doesNotContain(TOKEN);
    daemon.close();
  }

  private static void assertLine(JsonObject line) {
    assertThat(line.keySet())
        .contains("timestamp", "level", "threadName", "loggerName", "mdc", "formattedMessage");
    if (line.get("loggerName").getAsString().matches("access|audit")) {
      assertThat(line.getAsJsonObject("mdc").keySet()).contains("request", "method", "peer");
    }
  }

  private static List<JsonObject> lines() throws IOException {
    return daemon.said().stream().map(l -> JsonParser.parseString(l).getAsJsonObject()).toList();
  }

  /** What was logged of a call. */
  private static List<JsonObject> of(String request) throws IOException {
    return lines().stream()
        .filter(l -> l.getAsJsonObject("mdc").has("request"))
        .filter(l -> l.getAsJsonObject("mdc").get("request").getAsString().equals(request))
        .toList();
  }

  private static String field(JsonObject line, String key) {
    JsonObject mdc = line.getAsJsonObject("mdc");
    return mdc.has(key) ? mdc.get(key).getAsString() : "";
  }

  private static ModelHandle create(String name) {
    Parameter w = Parameter.newBuilder().setName("w").addShape(4).addShape(2).build();
    return client.createModel(
        CreateModelRequest.newBuilder()
            .setModel(name)
            .setSeed(1)
            .setParameters(ParameterList.newBuilder().addParameters(w))
            .build());
  }

  @Test
  void aRequestIsFollowedFromTheClientToTheLog() throws IOException {
    MuondException refusal =
        catchThrowableOfType(MuondException.class, () -> client.getModel("nobody's"));
    assertThat(refusal.is(ErrorReason.MODEL_NOT_FOUND)).isTrue();
    List<JsonObject> lines = of(refusal.requestId());
    assertThat(lines).hasSize(2);
    assertThat(lines)
        .extracting(l -> l.get("loggerName").getAsString())
        .contains("audit", "access");
    assertThat(lines)
        .allSatisfy(
            line -> {
              assertThat(field(line, "method")).isEqualTo("muond.v1.ModelService/GetModel");
              assertThat(field(line, "principal")).isEqualTo("alice");
              assertThat(field(line, "model")).isEqualTo("nobody's");
              assertThat(field(line, "peer")).startsWith("127.0.0.1:");
            });
  }

  /** The fault is found by another thread than the call's: the one that writes checkpoints. */
  @Test
  void aFaultOnAnotherThreadIsTheCalls() throws IOException {
    ModelHandle model = create("unsaved");
    model.step(Map.of("w", Tensor.zeros(4, 2)), 0.1);
    Path place = Files.createDirectories(directory.resolve("data/principals/alice/models/unsaved"));
    Files.createFile(place.resolve("checkpoints"));
    MuondException refusal =
        catchThrowableOfType(MuondException.class, () -> client.saveCheckpoint("unsaved"));
    assertThat(refusal.is(ErrorReason.STORAGE_FAILED)).isTrue();
    assertThat(of(refusal.requestId()))
        .singleElement()
        .satisfies(
            line -> {
              assertThat(line.get("level").getAsString()).isEqualTo("INFO");
              assertThat(line.get("formattedMessage").getAsString())
                  .startsWith(
                      "UNAVAILABLE/STORAGE_FAILED: the data directory could not be written");
              assertThat(field(line, "model")).isEqualTo("unsaved");
            });
    Files.delete(place.resolve("checkpoints"));
    client.deleteModel("unsaved", true);
  }

  /** Checkpoints are looked at by threads of their own. */
  @Test
  void whatAnotherThreadFindsIsTheCalls() throws IOException {
    create("damaged");
    String saved = client.saveCheckpoint("damaged").getCheckpoint();
    Path models = directory.resolve("data/principals/alice/models");
    Files.write(
        models.resolve("damaged/checkpoints/" + saved + "/weights.safetensors"), new byte[] {1});
    Metadata headers = new Metadata();
    headers.put(ID, "after-the-damage");
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + TOKEN);
    assertThat(
            CheckpointServiceGrpc.newBlockingStub(channel)
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
                .saveCheckpoint(SaveCheckpointRequest.newBuilder().setModel("damaged").build())
                .getCheckpoint()
                .getCheckpoint())
        .isEqualTo(saved);
    assertThat(of("after-the-damage"))
        .anySatisfy(
            line -> {
              assertThat(line.get("threadName").getAsString()).isEqualTo("storage");
              assertThat(line.get("level").getAsString()).isEqualTo("WARN");
              assertThat(line.get("formattedMessage").getAsString())
                  .startsWith("checkpoint skipped");
              assertThat(field(line, "method"))
                  .isEqualTo("muond.v1.CheckpointService/SaveCheckpoint");
              assertThat(field(line, "model")).isEqualTo("damaged");
              assertThat(field(line, "principal")).isEqualTo("alice");
            });
    client.deleteModel("damaged", false);
  }

  @Test
  void aCallThatGoesWellIsALineToo() throws IOException {
    create("well");
    JsonObject line =
        lines().stream()
            .filter(l -> field(l, "model").equals("well"))
            .filter(l -> l.get("loggerName").getAsString().equals("access"))
            .findFirst()
            .orElseThrow();
    assertThat(line.get("level").getAsString()).isEqualTo("DEBUG");
    assertThat(line.get("formattedMessage").getAsString()).matches("OK in \\d+ ms");
    client.deleteModel("well", false);
  }

  private static String answeredId(String sent) {
    Metadata headers = new Metadata();
    headers.put(ID, sent);
    AtomicReference<Metadata> trailers = new AtomicReference<>();
    AtomicReference<Metadata> initial = new AtomicReference<>();
    StatusRuntimeException refusal =
        catchThrowableOfType(
            StatusRuntimeException.class,
            () ->
                ModelServiceGrpc.newBlockingStub(channel)
                    .withInterceptors(
                        MetadataUtils.newAttachHeadersInterceptor(headers),
                        MetadataUtils.newCaptureMetadataInterceptor(initial, trailers))
                    .getModel(GetModelRequest.getDefaultInstance()));
    try {
      com.google.rpc.Status status = StatusProto.fromThrowable(refusal);
      RequestInfo info = status.getDetails(status.getDetailsCount() - 1).unpack(RequestInfo.class);
      assertThat(refusal.getTrailers().get(ID)).isEqualTo(info.getRequestId());
      return info.getRequestId();
    } catch (com.google.protobuf.InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void theIdOfTheClientIsKept() throws IOException {
    assertThat(answeredId("train-7/step.12")).isEqualTo("train-7/step.12");
    // Nobody knows who it was, so no principal; still it is a line with the rest.
    assertThat(of("train-7/step.12")).hasSize(2).noneMatch(l -> !field(l, "principal").isEmpty());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "two words",
        "a\tb",
        "0123456789012345678901234567890123456789012345678901234567890123x"
      })
  void anIdThatIsNoneIsReplaced(String sent) {
    assertThat(answeredId(sent)).matches("[0-9a-f]{16}");
  }
}
