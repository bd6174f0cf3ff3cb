package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.ByteString;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DataType;
import io.muond.v1.Durability;
import io.muond.v1.GetModelRequest;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The daemon as a process of its own. */
class MainTest {
  @TempDir Path directory;

  private final List<Process> processes = new ArrayList<>();

  @AfterEach
  void stop() {
    processes.forEach(Process::destroyForcibly);
  }

  private Process start(String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "io.muond.server.Main"));
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command)
            .redirectError(directory.resolve("stderr").toFile())
            .redirectOutput(directory.resolve("stdout").toFile())
            .start();
    processes.add(process);
    return process;
  }

  private Process serve(Path ready) throws IOException {
    return start(
        "--host=0.0.0.0",
        "--port=0",
        "--http-port=0",
        "--memory=64MiB",
        "--data-dir=" + directory.resolve("data"),
        "--ready-file=" + ready);
  }

  private JsonObject await(Path ready) throws IOException {
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (!Files.exists(ready)) {
      assertThat(System.nanoTime())
          .as(Files.readString(directory.resolve("stderr")))
          .isLessThan(deadline);
      LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
    }
    return JsonParser.parseString(Files.readString(ready)).getAsJsonObject();
  }

  private int exit(Process process) throws InterruptedException {
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return process.exitValue();
  }

  private String stderr() throws IOException {
    return Files.readString(directory.resolve("stderr"));
  }

  @Test
  void servesUntilAskedToStopAndGoesOnAfterARestart() throws Exception {
    Path ready = directory.resolve("ready.json");
    Process first = serve(ready);
    JsonObject addresses = await(ready);
    assertThat(addresses.get("engine").getAsString()).isEqualTo("cpu");
    assertThat(addresses.get("grpc").getAsString()).startsWith("127.0.0.1:");
    ManagedChannel channel = channel(addresses);
    Model model = create(channel);
    assertThat(step(channel, model).getReport().getDurableStep()).isEqualTo(1);
    String http = "http://" + addresses.get("http").getAsString();
    assertThat(get(http + "/healthz")).isEqualTo("200 serving\n");
    assertThat(get(http + "/nothing")).startsWith("404");
    assertThat(get(http + "/metrics"))
        .contains("muond_steps_total{result=\"committed\"} 1.0")
        .contains("muond_step_duration_seconds_count{phase=\"compute\"} 1")
        .contains("muond_gradient_bytes_total 24.0")
        .contains("muond_weight_bytes_total 0.0")
        .contains("muond_staging_bytes 0.0")
        .contains("muond_models 1.0")
        .contains("muond_parameters 1.0")
        .contains("muond_resident_bytes ")
        .contains("muond_orthogonality_max ")
        .contains("muond_tangency_rms ")
        .contains("grpc_server_processing_duration_seconds")
        .contains("jvm_memory_used_bytes");
    channel.shutdownNow();
    first.destroy();
    assertThat(exit(first)).isZero();
    assertThat(stderr()).contains("stopped");

    Path again = directory.resolve("again.json");
    Process second = serve(again);
    channel = channel(await(again));
    Model restored =
        ModelServiceGrpc.newBlockingStub(channel)
            .getModel(GetModelRequest.newBuilder().setModel("m").build())
            .getModel();
    assertThat(restored.getIncarnation()).isEqualTo(model.getIncarnation());
    assertThat(restored.getCommittedStep()).isEqualTo(1);
    assertThat(step(channel, model).getReport().getRepeatedStep()).isTrue();
    channel.shutdownNow();
    second.destroy();
    assertThat(exit(second)).isZero();
  }

  private static ManagedChannel channel(JsonObject addresses) {
    return Grpc.newChannelBuilder(
            addresses.get("grpc").getAsString(), InsecureChannelCredentials.create())
        .build();
  }

  private static Model create(ManagedChannel channel) {
    CreateModelRequest request =
        CreateModelRequest.newBuilder()
            .setModel("m")
            .setSeed(1)
            .setDurability(Durability.newBuilder().setEverySteps(1))
            .setParameters(
                ParameterList.newBuilder()
                    .addParameters(Parameter.newBuilder().setName("w").addShape(3).addShape(2)))
            .build();
    return ModelServiceGrpc.newBlockingStub(channel).createModel(request).getModel();
  }

  private static StepResponse step(ManagedChannel channel, Model model) throws Exception {
    CompletableFuture<StepResponse> answer = new CompletableFuture<>();
    StreamObserver<StepRequest> call =
        StepServiceGrpc.newStub(channel)
            .step(
                new StreamObserver<>() {
                  @Override
                  public void onNext(StepResponse response) {
                    answer.complete(response);
                  }

                  @Override
                  public void onError(Throwable failure) {
                    answer.completeExceptionally(failure);
                  }

                  @Override
                  public void onCompleted() {
                    answer.completeExceptionally(new AssertionError("no answer"));
                  }
                });
    TensorChunk chunk =
        TensorChunk.newBuilder()
            .setParameter("w")
            .setDataType(DataType.DATA_TYPE_FLOAT32)
            .addShape(3)
            .addShape(2)
            .setData(
                ByteString.copyFrom(
                    new byte[] {
                      0,
                      0,
                      (byte) 0x80,
                      0x3F,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0
                    }))
            .build();
    call.onNext(
        StepRequest.newBuilder()
            .setOpen(
                StepHeader.newBuilder()
                    .setModel("m")
                    .setIncarnation(model.getIncarnation())
                    .setStep(1))
            .addChunks(chunk)
            .setCommit(CommitOptions.newBuilder().setLearningRate(0.1))
            .build());
    call.onCompleted();
    return answer.get(30, TimeUnit.SECONDS);
  }

  private static String get(String uri) throws Exception {
    HttpResponse<String> response =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(URI.create(uri)).build(),
                HttpResponse.BodyHandlers.ofString());
    return response.statusCode() + " " + response.body();
  }

  @Test
  void aPortInUseIsOneLine() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Process process = start("--port=" + taken.getLocalPort(), "--http-port=0", "--engine=cpu");
      assertThat(exit(process)).isEqualTo(1);
      assertThat(stderr().lines().filter(line -> !line.contains(" INFO ")))
          .singleElement()
          .asString()
          .startsWith("--port: cannot listen on 127.0.0.1:" + taken.getLocalPort());
    }
  }

  @Test
  void anEngineThatIsMissingIsOneLine() throws Exception {
    Process process = start("--port=0", "--http-port=0", "--engine=cuda");
    assertThat(exit(process)).isEqualTo(1);
    assertThat(stderr().lines()).singleElement().asString().startsWith("--engine: cuda");
  }

  @Test
  void aBadArgumentIsOneLine() throws Exception {
    Process process = start("--port=high");
    assertThat(exit(process)).isEqualTo(1);
    assertThat(stderr().lines())
        .singleElement()
        .asString()
        .contains("--port")
        .contains("high (expected: an integer from 0 to 65535)");
  }
}
