package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.client.MuondClient;
import io.muond.client.cli.Main;
import io.muond.server.engine.TestEngines;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The command line against the daemon, over TCP and real files. */
class CommandLineTest extends CommandLineFixture {
  private static final Path GOLDEN = Path.of("src/test/resources/golden/step");

  static Stream<Arguments> golden() throws IOException {
    JsonArray cases =
        JsonParser.parseString(Files.readString(GOLDEN.resolve("cases.json"))).getAsJsonArray();
    return cases.asList().stream()
        .map(JsonElement::getAsJsonObject)
        .map(c -> Arguments.of(c.get("file").getAsString(), c));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("golden")
  void goldenStepsAreMetThroughFiles(String name, JsonObject golden) throws IOException {
    int columns = golden.get("columns").getAsInt();
    Path weights = write("w", Map.of("layer", read(GOLDEN.resolve(name), "w")), columns);
    Path gradients = write("g", Map.of("layer", read(GOLDEN.resolve(name), "g")), columns);
    muond(
            "step",
            "--server=" + daemon.grpc(),
            "--weights=" + weights,
            "--gradients=" + gradients,
            "--learning-rate=0.1",
            "--msign-steps=20",
            "--out=" + file("out"),
            "--report=" + file("report"))
        .succeeded();
    if (golden.get("w_next_is_unique").getAsBoolean()) {
      float[] expected = read(GOLDEN.resolve(name), "w_next");
      assertThat(relativeError(read(file("out"), "layer"), expected)).isLessThanOrEqualTo(1e-5);
    }
    JsonObject report = report(1);
    double optimum = golden.get("optimum").getAsDouble();
    assertThat(report.get("optimum").getAsDouble())
        .isBetween(optimum * (1 - 3e-6), optimum * (1 + 3e-6));
    assertThat(report.get("objective").getAsDouble()).isGreaterThanOrEqualTo(0.9995 * optimum);
    assertThat(report.get("tangency_rms").getAsDouble()).isLessThanOrEqualTo(5e-7);
    assertThat(report.get("orthogonality_max").getAsDouble()).isLessThanOrEqualTo(5e-6);
    assertThat(report.get("solver_iterations").getAsInt()).isEqualTo(20);
    assertThat(report.get("seconds").getAsDouble()).isPositive();
    assertThat(report.get("update_norm").getAsDouble()).isNotNegative();
  }

  /** The first parameter's report of the last of so many steps. */
  private JsonObject report(int steps) throws IOException {
    JsonArray all =
        JsonParser.parseString(Files.readString(file("report")))
            .getAsJsonObject()
            .getAsJsonArray("steps");
    assertThat(all).hasSize(steps);
    JsonObject last = all.get(steps - 1).getAsJsonObject();
    return last.getAsJsonArray("parameters").get(0).getAsJsonObject();
  }

  private static double relativeError(float[] x, float[] y) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < x.length; i++) {
      difference += Math.pow((double) x[i] - y[i], 2);
      norm += Math.pow(y[i], 2);
    }
    return Math.sqrt(difference / norm);
  }

  @Test
  void aModelGoesOnBitForBitAfterAKill() throws Exception {
    Path weights = write("w", Map.of("a", gaussian(12 * 5, 1), "b", gaussian(10 * 5, 2)), 5);
    Path gradients = write("g", Map.of("a", gaussian(12 * 5, 3), "b", gaussian(10 * 5, 4)), 5);
    String data = "--data-dir=" + file("data");
    try (DaemonProcess first = DaemonProcess.serve(directory, ENGINE, data)) {
      train(first, weights, gradients, "interrupted", 7, "interrupted-7");
      first.kill();
    }
    try (DaemonProcess second = DaemonProcess.serve(directory, ENGINE, data)) {
      train(second, weights, gradients, "interrupted", 12, "interrupted-12");
      train(second, weights, gradients, "straight", 12, "straight-12");
      assertThat(second.terminate()).isZero();
      assertThat(second.emulatorSaid()).isEmpty();
    }
    for (String name : List.of("a", "b")) {
      assertThat(read(file("interrupted-12"), name)).isEqualTo(read(file("straight-12"), name));
      assertThat(read(file("interrupted-7"), name)).isNotEqualTo(read(file("straight-12"), name));
    }
  }

  @Test
  void aCommandGoesOnBitForBitThroughAKill() throws Exception {
    int until = TestEngines.isCuda() ? 60 : 400;
    Path weights = write("w", Map.of("a", gaussian(12 * 5, 1)), 5);
    Path gradients = write("g", Map.of("a", gaussian(12 * 5, 3)), 5);
    String data = "--data-dir=" + file("data");
    CompletableFuture<Outcome> command;
    String port;
    try (DaemonProcess first = DaemonProcess.serve(directory, ENGINE, data)) {
      String server = first.grpc();
      port = "--port=" + server.substring(server.lastIndexOf(':') + 1);
      command =
          CompletableFuture.supplyAsync(
              () -> step(server, weights, gradients, "through", "every=7", until, "through"));
      try (MuondClient client = MuondClient.connect(server)) {
        while (client.listModels().stream().noneMatch(m -> m.getCommittedStep() % 7 == 4)) {
          assertThat(command).isNotDone();
        }
      }
      first.kill();
      assertThat(command).isNotDone();
    }
    try (DaemonProcess second =
        DaemonProcess.start(directory, ENGINE, data, port, "--http-port=0")) {
      String server = second.grpc();
      command.get(60, TimeUnit.SECONDS).succeeded();
      step(server, weights, gradients, "straight", "on-request", until, "straight").succeeded();
      assertThat(second.terminate()).isZero();
    }
    assertThat(read(file("through"), "a")).isEqualTo(read(file("straight"), "a"));
  }

  private void train(
      DaemonProcess server, Path weights, Path gradients, String model, int until, String out)
      throws IOException {
    step(server.grpc(), weights, gradients, model, "every-step", until, out).succeeded();
  }

  private Outcome step(
      String server,
      Path weights,
      Path gradients,
      String model,
      String durability,
      int until,
      String out) {
    return muond(
        "step",
        "--server=" + server,
        "--model=" + model,
        "--durability=" + durability,
        "--momentum=0.9",
        "--weights=" + weights,
        "--gradients=" + gradients,
        "--learning-rate=0.05",
        "--until-step=" + until,
        "--out=" + file(out));
  }

  /** Rows of norm 5 and 13 on the sphere of radius 1; the second time nothing is written. */
  @Test
  void aWriteOfWeightsTellsHowFarItMovedThem() throws IOException {
    String server = "--server=" + daemon.grpc();
    Map<String, float[]> tensors = Map.of("a", new float[] {3, 4}, "b", new float[] {5, 12});
    Path weights = write("w", tensors, 2);
    String[] step = {
      "step",
      server,
      "--model=moved",
      "--radius=1",
      "--learning-rate=0.1",
      "--weights=" + weights,
      "--gradients=" + weights,
      "--out=" + file("out")
    };
    assertThat(muond(step).succeeded().out().lines().toList())
        .containsExactly(
            "weights put on their manifolds, moved by up to 12.00 (b)",
            "step 1, weights in " + file("out"));
    assertThat(muond(step).succeeded().out().lines()).hasSize(1);
    assertThat(json(with(step, "--json")).getAsJsonObject("distances").size()).isZero();
    muond("model", "delete", "moved", server).succeeded();
    JsonObject distances = json(with(step, "--json")).getAsJsonObject("distances");
    assertThat(distances.get("a").getAsDouble()).isCloseTo(4, within(1e-5));
    assertThat(distances.get("b").getAsDouble()).isCloseTo(12, within(1e-5));
    muond("model", "delete", "moved", server).succeeded();
  }

  private static JsonObject json(String... arguments) {
    return JsonParser.parseString(muond(arguments).succeeded().out()).getAsJsonObject();
  }

  @Test
  void aModelCanBeReadCheckpointedRestoredAndDeleted() throws IOException {
    String server = "--server=" + daemon.grpc();
    Path weights = write("w", Map.of("w", gaussian(12, 9)), 3);
    Path gradients = write("g", Map.of("w", gaussian(12, 8)), 3);
    String[] step = {
      "step",
      server,
      "--model=kept",
      "--weights=" + weights,
      "--gradients=" + gradients,
      "--learning-rate=0.1",
      "--out=" + file("out")
    };
    muond(with(step, "--steps=2")).succeeded();
    float[] atTwo = read(file("out"), "w");
    JsonObject saved =
        JsonParser.parseString(
                muond("checkpoint", "save", "--model=kept", "--json", server).succeeded().out())
            .getAsJsonObject();
    assertThat(saved.toString()).contains("2");
    muond(with(step, "--steps=3")).succeeded();
    assertThat(read(file("out"), "w")).isNotEqualTo(atTwo);
    muond("checkpoint", "restore", "--model=kept", server).succeeded();
    muond("weights", "read", "--model=kept", "--out=" + file("read"), server).succeeded();
    assertThat(read(file("read"), "w")).isEqualTo(atTwo);
    muond("model", "delete", "kept", server).succeeded();
    expectFailure(muond("model", "get", "kept", server), List.of("kept"));
  }

  @Test
  void streamsOfAnySizeAreMeasuredInASmallHeap() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx48m",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "bench",
                "stream",
                "--sizes=" + (TestEngines.isCuda() ? 60 : 100),
                "--repeats=1",
                "--warm-up=0",
                "--json",
                "--server=" + daemon.grpc())
            .redirectError(file("err").toFile())
            .redirectOutput(file("json").toFile())
            .start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(file("err"))).isZero();
    JsonObject json = JsonParser.parseString(Files.readString(file("json"))).getAsJsonObject();
    assertThat(json.getAsJsonArray("results")).hasSize(1);
    JsonObject result = json.getAsJsonArray("results").get(0).getAsJsonObject();
    for (String direction : List.of("push", "pull")) {
      assertThat(result.get(direction + "_gigabytes_per_second").getAsDouble()).isPositive();
      assertThat(result.get(direction + "_cpu_seconds_per_gigabyte").getAsDouble()).isPositive();
      for (String side : List.of("client", "server")) {
        String name = "%s_%s_allocated_bytes_per_gigabyte".formatted(direction, side);
        assertThat(result.get(name).getAsDouble()).as(name).isPositive();
      }
    }
  }
}
