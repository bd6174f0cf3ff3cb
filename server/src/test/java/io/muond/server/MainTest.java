package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.StepOptions;
import io.muond.client.StepResult;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DualAscentOptions;
import io.muond.v1.Durability;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.ReportDetail;
import io.muond.v1.Rule;
import io.muond.v1.Solver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The daemon as a process of its own. */
class MainTest {
  @TempDir Path directory;

  private DaemonProcess serve() throws IOException {
    return DaemonProcess.serve(
        directory,
        "--host=0.0.0.0",
        "--allow-plaintext",
        "--allow-anonymous",
        "--memory=64MiB",
        "--data-dir=" + directory.resolve("data"));
  }

  @Test
  void servesUntilAskedToStopAndGoesOnAfterARestart() throws Exception {
    Model model;
    try (DaemonProcess first = serve()) {
      JsonObject addresses = first.addresses();
      assertThat(addresses.get("engine").getAsString()).isEqualTo("cpu");
      assertThat(addresses.get("grpc").getAsString()).startsWith("127.0.0.1:");
      model = createAndStep(first);
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
          .contains("jvm_memory_used_bytes")
          .doesNotContain("_ns_");
      assertThat(first.terminate()).isZero();
      assertThat(first.stderr()).contains("stopped");
    }
    try (DaemonProcess second = serve();
        MuondClient client = MuondClient.connect(second.grpc())) {
      Model restored = client.getModel("m");
      assertThat(restored.getIncarnation()).isEqualTo(model.getIncarnation());
      assertThat(restored.getCommittedStep()).isEqualTo(1);
      assertThat(second.terminate()).isZero();
    }
  }

  @Test
  void aRunningStepFinishesBeforeTheEnd() throws Exception {
    int n = 512;
    Parameter slow =
        Parameter.newBuilder()
            .setName("w")
            .addShape(n)
            .addShape(n)
            .setRule(
                Rule.newBuilder()
                    .setSolver(Solver.SOLVER_DUAL_ASCENT)
                    .setDualAscent(
                        DualAscentOptions.newBuilder().setIterations(20).setTolerance(0)))
            .build();
    CreateModelRequest request =
        CreateModelRequest.newBuilder()
            .setModel("slow")
            .setSeed(1)
            .setParameters(ParameterList.newBuilder().addParameters(slow))
            .build();
    float[] gradient = new float[n * n];
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] = (float) Math.sin(i);
    }
    try (DaemonProcess daemon = DaemonProcess.serve(directory, "--drain-timeout=50s");
        MuondClient client = MuondClient.connect(daemon.grpc());
        ModelHandle model = client.createModel(request)) {
      String http = "http://" + daemon.addresses().get("http").getAsString();
      CompletableFuture<StepResult> step =
          model.stepAsync(
              Map.of("w", Tensor.of(gradient, n, n)),
              StepOptions.learningRate(0.1).withReportDetail(ReportDetail.REPORT_DETAIL_BASIC));
      while (!get(http + "/metrics").contains("muond_gradient_bytes_total 1048576.0")) {
        assertThat(step).isNotDone();
      }
      assertThat(daemon.terminate()).isZero();
      StepResult result = step.get(1, TimeUnit.SECONDS);
      assertThat(result.report().getStep()).isEqualTo(1);
      assertThat(result.report().getParameters(0).getSolverIterations()).isEqualTo(20);
    }
  }

  /** Creates the model "m" and commits a step that is durable at once. */
  private static Model createAndStep(DaemonProcess daemon) throws IOException {
    CreateModelRequest request =
        CreateModelRequest.newBuilder()
            .setModel("m")
            .setSeed(1)
            .setDurability(Durability.newBuilder().setEverySteps(1))
            .setParameters(
                ParameterList.newBuilder()
                    .addParameters(Parameter.newBuilder().setName("w").addShape(3).addShape(2)))
            .build();
    try (MuondClient client = MuondClient.connect(daemon.grpc());
        ModelHandle model = client.createModel(request)) {
      Tensor gradient = Tensor.of(new float[] {1, 0, 0, 0, 0, 0}, 3, 2);
      StepResult result = model.step(Map.of("w", gradient), StepOptions.learningRate(0.1));
      assertThat(result.report().getDurableStep()).isEqualTo(1);
      return model.description();
    }
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
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        DaemonProcess daemon =
            DaemonProcess.start(
                directory, "--port=" + taken.getLocalPort(), "--http-port=0", "--engine=cpu")) {
      assertThat(daemon.exit()).isEqualTo(1);
      assertThat(daemon.stderr().lines().filter(line -> !line.contains(" INFO ")))
          .singleElement()
          .asString()
          .startsWith("muond-server: --port: cannot listen on 127.0.0.1:" + taken.getLocalPort());
    }
  }

  @Test
  void anEngineThatIsMissingIsOneLine() throws Exception {
    // Where there is a driver, no device of it is to be seen.
    Map<String, String> environment = Map.of("CUDA_VISIBLE_DEVICES", "-1");
    String classPath = System.getProperty("java.class.path");
    try (DaemonProcess daemon =
        DaemonProcess.start(
            directory, environment, classPath, "--port=0", "--http-port=0", "--engine=cuda")) {
      assertThat(daemon.exit()).isEqualTo(1);
      assertThat(daemon.stderr().lines())
          .singleElement()
          .asString()
          .startsWith("muond-server: --engine: cuda, but ")
          .contains("(expected: ");
    }
  }

  @Test
  void aBadArgumentIsOneLine() throws Exception {
    try (DaemonProcess daemon = DaemonProcess.start(directory, "--port=high")) {
      assertThat(daemon.exit()).isEqualTo(1);
      assertThat(daemon.stderr().lines())
          .singleElement()
          .asString()
          .contains("--port")
          .contains("high (expected: an integer from 0 to 65535)");
    }
  }

  @Test
  void aDirectoryThatCannotBeUsedIsOneLine() throws Exception {
    Path file = Files.createFile(directory.resolve("file"));
    try (DaemonProcess daemon =
        DaemonProcess.start(
            directory, "--port=0", "--http-port=0", "--engine=cpu", "--data-dir=" + file)) {
      assertThat(daemon.exit()).isEqualTo(1);
      assertThat(daemon.stderr().lines().filter(line -> !line.contains(" INFO ")))
          .singleElement()
          .asString()
          .startsWith("muond-server: --data-dir: " + file)
          .contains("expected: a directory");
    }
  }

  @Test
  void plaintextBeyondLoopbackIsOneLine() throws Exception {
    try (DaemonProcess daemon = DaemonProcess.start(directory, "--host=0.0.0.0")) {
      assertThat(daemon.exit()).isEqualTo(1);
      assertThat(daemon.stderr().lines())
          .singleElement()
          .asString()
          .startsWith("muond-server: --host: 0.0.0.0 is beyond loopback, in plaintext (expected: ");
    }
  }

  @Test
  void aFileOfTokensThatCannotBeUsedIsOneLine() throws Exception {
    Path tokens = Files.writeString(directory.resolve("tokens"), "alice guess-me\n");
    try (DaemonProcess daemon = DaemonProcess.start(directory, "--token-file=" + tokens)) {
      assertThat(daemon.exit()).isEqualTo(1);
      assertThat(daemon.stderr().lines())
          .singleElement()
          .asString()
          .startsWith("muond-server: " + tokens + ": line 1: no token (expected: ")
          .doesNotContain("guess-me");
    }
  }
}
