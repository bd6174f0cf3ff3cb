package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.v1.CheckpointServiceGrpc;
import io.muond.v1.ErrorReason;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.StepServiceGrpc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Who may call a daemon with tokens, and with what. */
class TokensTest extends TokensFixture {
  @Test
  void whoeverHasNoTokenIsRefused() throws IOException {
    try (MuondClient none = MuondClient.builder(daemon.grpc()).tls(authority.file()).build();
        MuondClient wrong = client(WRONG)) {
      MuondException absent =
          refused(
              "principal=- peer=127.0.0.1:\\d+ call=muond.v1.ServerService/GetServerInfo"
                  + " model=\"\" outcome=UNAUTHENTICATED/UNAUTHENTICATED$",
              none::serverInfo);
      assertThat(absent.code()).isEqualTo(Status.Code.UNAUTHENTICATED);
      assertThat(absent.is(ErrorReason.UNAUTHENTICATED)).isTrue();
      assertThat(absent.metadata("credential")).contains("token");
      MuondException unknown =
          refused("call=muond.v1.ModelService/ListModels .*UNAUTHENTICATED$", wrong::listModels);
      assertThat(unknown.code()).isEqualTo(Status.Code.UNAUTHENTICATED);
      assertThat(unknown).hasMessageContaining("unknown (expected: ");
    }
  }

  @Test
  void healthIsForEverybodyAndReflectionIsNot() throws Exception {
    ManagedChannel channel = channel();
    try {
      assertThat(
              HealthGrpc.newBlockingStub(channel)
                  .check(HealthCheckRequest.getDefaultInstance())
                  .getStatus())
          .isEqualTo(ServingStatus.SERVING);
      Ended reflection =
          call(channel, ServerReflectionGrpc.getServerReflectionInfoMethod(), "", new Metadata());
      assertThat(reflection.status().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
    } finally {
      channel.shutdownNow();
    }
  }

  private static ManagedChannel channel() throws IOException {
    String[] address = daemon.grpc().split(":", -1);
    return NettyChannelBuilder.forAddress(
            address[0],
            Integer.parseInt(address[1]),
            TlsChannelCredentials.newBuilder().trustManager(authority.file().toFile()).build())
        .build();
  }

  /** How a call ended. */
  private record Ended(Status status, int answers) {}

  private static Metadata bearer(String token) {
    Metadata headers = new Metadata();
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    return headers;
  }

  /** Calls any method with one message that names a model, wherever such a message names it. */
  @SuppressWarnings("unchecked")
  private static <Q, R> Ended call(
      ManagedChannel channel, MethodDescriptor<Q, R> method, String model, Metadata headers)
      throws Exception {
    Message.Builder request =
        ((Message) ((PrototypeMarshaller<Q>) method.getRequestMarshaller()).getMessagePrototype())
            .newBuilderForType();
    name(request, model);
    ClientCall<Q, R> call =
        channel.newCall(method, CallOptions.DEFAULT.withDeadlineAfter(20, TimeUnit.SECONDS));
    CompletableFuture<Ended> end = new CompletableFuture<>();
    List<R> answers = new ArrayList<>();
    call.start(
        new ClientCall.Listener<R>() {
          @Override
          public void onMessage(R message) {
            answers.add(message);
          }

          @Override
          public void onClose(Status status, Metadata trailers) {
            end.complete(new Ended(status, answers.size()));
          }
        },
        headers);
    call.request(10);
    call.sendMessage((Q) request.build());
    call.halfClose();
    return end.get(20, TimeUnit.SECONDS);
  }

  /** Whether there was a field for it. */
  private static boolean name(Message.Builder request, String model) {
    for (FieldDescriptor field : request.getDescriptorForType().getFields()) {
      if (field.getName().equals("model")
          && field.getJavaType() == FieldDescriptor.JavaType.STRING) {
        request.setField(field, model);
        return true;
      }
      if (field.getName().equals("header") || field.getName().equals("open")) {
        return name(request.getFieldBuilder(field), model);
      }
    }
    return false;
  }

  /** Every call there is, or will be, about a model. */
  @Test
  void whatIsAnothersIsNotThere() throws Exception {
    ManagedChannel channel = channel();
    try (MuondClient alice = client(ALICE);
        MuondClient bob = client(BOB);
        ModelHandle own = alice.createModel(model("private", 4))) {
      own.step(Map.of("w", Tensor.of(new float[8], 4, 2)), StepOptions.learningRate(0.1));
      String checkpoint = alice.saveCheckpoint("private").getCheckpoint();
      List<MethodDescriptor<?, ?>> methods =
          Stream.of(
                  ModelServiceGrpc.getServiceDescriptor(),
                  StepServiceGrpc.getServiceDescriptor(),
                  CheckpointServiceGrpc.getServiceDescriptor())
              .flatMap(service -> service.getMethods().stream())
              .filter(m -> !m.equals(ModelServiceGrpc.getCreateModelMethod()))
              .filter(m -> !m.equals(ModelServiceGrpc.getListModelsMethod()))
              .filter(m -> !m.equals(CheckpointServiceGrpc.getListCheckpointsMethod()))
              .toList();
      assertThat(methods).hasSizeGreaterThan(14);
      for (MethodDescriptor<?, ?> method : methods) {
        Ended others = call(channel, method, "private", bearer(BOB));
        Ended nobodys = call(channel, method, "nothing", bearer(BOB));
        assertThat(others.status().getCode())
            .as(method.getFullMethodName())
            .isEqualTo(Status.Code.NOT_FOUND)
            .isEqualTo(nobodys.status().getCode());
        assertThat(others.status().getDescription())
            .isEqualTo(nobodys.status().getDescription().replace("nothing", "private"));
      }
      assertThat(bob.listModels()).isEmpty();
      assertThat(bob.listCheckpoints("")).isEmpty();
      assertThat(bob.listCheckpoints("private")).isEmpty();
      assertThat(alice.listCheckpoints("private").get(0).getCheckpoint()).isEqualTo(checkpoint);
      assertThat(alice.getModel("private").getCommittedStep()).isEqualTo(1);
      refused(
          "principal=\"bob\" .*GetModel model=\"private\" outcome=NOT_FOUND/MODEL_NOT_FOUND$",
          () -> bob.getModel("private"));
      alice.deleteModel("private", false);
      assertThat(audited().get(audited().size() - 1))
          .contains("principal=\"alice\"")
          .endsWith("call=muond.v1.ModelService/DeleteModel model=\"private\" outcome=OK");
    } finally {
      channel.shutdownNow();
    }
  }

  /** Two principals may call theirs the same; a restart finds each where it was. */
  @Test
  void namesAreEachPrincipalsOwn() throws Exception {
    try (MuondClient alice = client(ALICE);
        MuondClient bob = client(BOB)) {
      alice.createModel(model("same", 4)).close();
      bob.createModel(model("same", 6)).close();
      alice.saveCheckpoint("same");
      bob.saveCheckpoint("same");
    }
    assertThat(daemon.terminate()).isZero();
    assertThat(daemon.stderr()).doesNotContain("secret-0123456789");
    daemon = serve();
    try (MuondClient alice = client(ALICE);
        MuondClient bob = client(BOB)) {
      assertThat(alice.getModel("same").getParameters(0).getShape(0)).isEqualTo(4);
      assertThat(bob.getModel("same").getParameters(0).getShape(0)).isEqualTo(6);
      alice.deleteModel("same", false);
      assertThat(bob.getModel("same").getParameters(0).getShape(0)).isEqualTo(6);
      bob.deleteModel("same", false);
    }
  }

  /** A token that is taken away ends what goes on with it, and nothing of others'. */
  @Test
  void tokensAreReadAgainWhileStreamsRun() throws Exception {
    String renewed = "alice-new-secret-0123456789";
    try (MuondClient old = client(ALICE);
        MuondClient bob = client(BOB);
        ModelHandle stays = bob.createModel(model("stays", 4));
        ModelHandle ends = old.createModel(model("ends", 4))) {
      Map<String, Tensor> gradient = Map.of("w", Tensor.of(new float[8], 4, 2));
      ends.step(gradient, StepOptions.learningRate(0.1));
      stays.step(gradient, StepOptions.learningRate(0.1));
      Files.writeString(tokens, standing().replace(ALICE, renewed));
      await(() -> said("read again: [" + tokens + "]"));
      try (MuondClient alice = client(renewed)) {
        assertThat(alice.getModel("ends").getCommittedStep()).isPositive();
        await(() -> isUnknown(() -> ends.step(gradient, StepOptions.learningRate(0.1))));
        assertThat(daemon.stderr()).contains("outcome=connection ended");
        stays.step(gradient, StepOptions.learningRate(0.1));
        alice.deleteModel("ends", false);
        bob.deleteModel("stays", false);
        Files.writeString(tokens, "alice\n");
        await(() -> said("stays in use: " + tokens + ": line 1: not two words"));
        assertThat(alice.listModels()).isEmpty();
      }
    } finally {
      Files.writeString(tokens, standing());
      try (MuondClient alice = client(ALICE)) {
        await(() -> !isUnknown(alice::serverInfo));
      }
    }
  }

  private static boolean isUnknown(Runnable call) {
    try {
      call.run();
      return false;
    } catch (MuondException e) {
      assertThat(e.code()).isEqualTo(Status.Code.UNAUTHENTICATED);
      return true;
    }
  }

  private static boolean said(String what) {
    try {
      return daemon.stderr().contains(what);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aPlaintextClientIsToldSo() throws Exception {
    int before = audited().size();
    try (MuondClient plaintext =
        MuondClient.builder(daemon.grpc()).reconnectTimeout(Duration.ofMillis(200)).build()) {
      assertThat(refused(plaintext::serverInfo)).hasMessageContaining("(does it expect TLS?");
    }
    await(() -> said("outcome=TLS: not TLS"));
    assertThat(audited().size()).isGreaterThan(before);
  }

  @Test
  void theCommandLine() throws Exception {
    Path token = Files.writeString(shared.resolve("alice.token"), ALICE);
    String server = "--server=" + daemon.grpc();
    String ca = "--tls-ca=" + authority.file();
    CommandLineFixture.muond("status", server, ca, "--token-file=" + token).succeeded();
    CommandLineFixture.expectFailure(
        CommandLineFixture.muond("status", server, ca), List.of("token: absent (expected: "));
    CommandLineFixture.expectFailure(
        CommandLineFixture.muond("status", server, "--tls", "--token-file=" + token),
        List.of("TLS: "));
    CommandLineFixture.expectFailure(
        CommandLineFixture.muond("status", "--server=192.0.2.1:8470", "--token-file=" + token),
        List.of("192.0.2.1:8470 is beyond loopback, in plaintext"));
    Path missing = shared.resolve("missing");
    CommandLineFixture.expectFailure(
        CommandLineFixture.muond("status", server, ca, "--token-file=" + missing),
        List.of(missing + ": no such file (expected: "));
    CommandLineFixture.expectFailure(
        CommandLineFixture.muond("status", server, "--tls-ca=" + token),
        List.of(token + ": no certificates (expected: PEM"));
  }

  /** What was made when everybody was anonymous is nobody's, and the log says so. */
  @Test
  void modelsOfBeforeAreNobodys() throws Exception {
    Path data = shared.resolve("before");
    try (DaemonProcess open = DaemonProcess.serve(shared, "--engine=cpu", "--data-dir=" + data);
        MuondClient anybody = MuondClient.connect(open.grpc())) {
      anybody.createModel(model("orphan", 4)).close();
      anybody.saveCheckpoint("orphan");
      assertThat(open.terminate()).isZero();
    }
    try (DaemonProcess closed =
            DaemonProcess.serve(
                shared, "--engine=cpu", "--token-file=" + tokens, "--data-dir=" + data);
        MuondClient alice =
            MuondClient.builder(closed.grpc())
                .token(Files.writeString(shared.resolve("alice"), ALICE))
                .build()) {
      assertThat(closed.stderr()).contains("1 models are nobody's");
      assertThat(alice.listModels()).isEmpty();
    }
    Files.createDirectories(data.resolve("principals/alice/models"));
    Files.move(data.resolve("models/orphan"), data.resolve("principals/alice/models/orphan"));
    try (DaemonProcess again =
            DaemonProcess.serve(
                shared, "--engine=cpu", "--token-file=" + tokens, "--data-dir=" + data);
        MuondClient alice =
            MuondClient.builder(again.grpc()).token(shared.resolve("alice")).build()) {
      assertThat(alice.getModel("orphan").getName()).isEqualTo("orphan");
    }
  }
}
