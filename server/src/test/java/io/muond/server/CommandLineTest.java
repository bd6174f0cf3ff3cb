package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.client.cli.Main;
import io.muond.safetensors.Dtype;
import io.muond.safetensors.SafetensorsFile;
import io.muond.safetensors.SafetensorsWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The command line against the daemon, over TCP and real files. */
class CommandLineTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden/step");

  @TempDir static Path shared;

  private static DaemonProcess daemon;

  @TempDir Path directory;

  @BeforeAll
  static void start() throws IOException {
    daemon = DaemonProcess.serve(shared, "--data-dir=" + shared.resolve("data"));
  }

  @AfterAll
  static void stop() throws Exception {
    assertThat(daemon.terminate()).isZero();
  }

  /** What a command printed, and its exit status. */
  record Outcome(int status, String out, String err) {
    Outcome succeeded() {
      assertThat(status).as(err).isZero();
      return this;
    }
  }

  private static Outcome muond(String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int status =
        Main.run(
            arguments,
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8));
    return new Outcome(
        status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  private Path file(String name) {
    return directory.resolve(name);
  }

  private Path write(String name, Map<String, float[]> tensors, int columns) throws IOException {
    SafetensorsWriter writer = new SafetensorsWriter();
    for (Map.Entry<String, float[]> tensor : tensors.entrySet()) {
      ByteBuffer bytes =
          ByteBuffer.allocate(tensor.getValue().length * 4).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(tensor.getValue());
      List<Long> shape = List.of((long) tensor.getValue().length / columns, (long) columns);
      writer.tensor(
          tensor.getKey(),
          Dtype.F32,
          shape,
          (offset, into) -> into.put(bytes.slice((int) offset, into.remaining())));
    }
    writer.writeTo(file(name));
    return file(name);
  }

  private static float[] read(Path path, String name) throws IOException {
    try (SafetensorsFile in = SafetensorsFile.open(path)) {
      float[] values = new float[Math.toIntExact(in.tensor(name).elements())];
      in.readFloats(name, 0, values);
      return values;
    }
  }

  private static float[] gaussian(int n, long seed) {
    Random random = new Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

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
    try (DaemonProcess first = DaemonProcess.serve(directory, data)) {
      train(first, weights, gradients, "interrupted", 7, "interrupted-7");
      first.kill();
    }
    try (DaemonProcess second = DaemonProcess.serve(directory, data)) {
      train(second, weights, gradients, "interrupted", 12, "interrupted-12");
      train(second, weights, gradients, "straight", 12, "straight-12");
      assertThat(second.terminate()).isZero();
    }
    for (String name : List.of("a", "b")) {
      assertThat(read(file("interrupted-12"), name)).isEqualTo(read(file("straight-12"), name));
      assertThat(read(file("interrupted-7"), name)).isNotEqualTo(read(file("straight-12"), name));
    }
  }

  private void train(
      DaemonProcess server, Path weights, Path gradients, String model, int until, String out)
      throws IOException {
    muond(
            "step",
            "--server=" + server.grpc(),
            "--model=" + model,
            "--durability=every-step",
            "--momentum=0.9",
            "--weights=" + weights,
            "--gradients=" + gradients,
            "--learning-rate=0.05",
            "--until-step=" + until,
            "--out=" + file(out))
        .succeeded();
  }

  @BeforeEach
  void healthy() throws IOException {
    muond("status", "--server=" + daemon.grpc()).succeeded();
  }

  static Stream<Arguments> badInput() {
    float[] good = gaussian(12, 1);
    float[] nan = good.clone();
    nan[7] = Float.NaN;
    float[] infinite = good.clone();
    infinite[4] = Float.NEGATIVE_INFINITY;
    return Stream.of(
        Arguments.of(Map.of("w", nan), "0.1", List.of("w", "7", "NaN")),
        Arguments.of(Map.of("w", infinite), "0.1", List.of("w", "4", "-Infinity")),
        Arguments.of(Map.of("w", gaussian(15, 1)), "0.1", List.of("w", "5", "4", "3")),
        Arguments.of(Map.of("other", good), "0.1", List.of("w")),
        Arguments.of(Map.of("w", good, "other", good), "0.1", List.of("other")),
        Arguments.of(Map.of("w", good), "-0.1", List.of("-0.1", "learning")),
        Arguments.of(Map.of("w", good), "NaN", List.of("NaN", "learning")),
        Arguments.of(Map.of("w", good), "9", List.of("9", "learning", "8")));
  }

  @ParameterizedTest
  @MethodSource("badInput")
  void badInputIsOneLineThatNamesIt(
      Map<String, float[]> gradients, String learningRate, List<String> named) throws IOException {
    Path weights = write("w", Map.of("w", gaussian(12, 9)), 3);
    Path bad = write("g", new TreeMap<>(gradients), 3);
    expectFailure(
        muond(
            "step",
            "--server=" + daemon.grpc(),
            "--weights=" + weights,
            "--gradients=" + bad,
            "--learning-rate=" + learningRate,
            "--out=" + file("out")),
        named);
    assertThat(file("out")).doesNotExist();
    assertThat(muond("model", "list", "--json", "--server=" + daemon.grpc()).succeeded().out())
        .doesNotContain("\"name\"");
  }

  private static void expectFailure(Outcome outcome, List<String> named) {
    assertThat(outcome.status()).isEqualTo(1);
    assertThat(outcome.err().strip().lines()).as(outcome.err()).hasSize(1);
    assertThat(outcome.err()).contains(named);
  }

  @Test
  void otherMistakesAreOneLineToo() throws IOException {
    Path weights = write("w", Map.of("w", gaussian(12, 9)), 3);
    Path noise = file("noise");
    Files.write(noise, new byte[100]);
    String server = "--server=" + daemon.grpc();
    String[] step = {"step", "--learning-rate=0.1", "--out=" + file("out"), "--weights=" + weights};
    expectFailure(
        muond(with(step, server, "--gradients=" + noise)),
        List.of("noise", "not a safetensors file"));
    expectFailure(
        muond(
            with(step, "--server=127.0.0.1:1", "--reconnect-timeout=1s", "--gradients=" + weights)),
        List.of("127.0.0.1:1"));
    expectFailure(muond("model", "get", "nobody", server), List.of("nobody"));
    expectFailure(muond("model", "delete", "nobody", server), List.of("nobody"));
    expectFailure(muond("checkpoint", "save", "--model=nobody", server), List.of("nobody"));
    expectFailure(
        muond("weights", "read", "--model=nobody", "--out=" + file("out"), server),
        List.of("nobody"));
    expectFailure(muond("status", "--no-such-option"), List.of("--no-such-option"));
    expectFailure(muond("step", server), List.of("--weights"));
    expectFailure(muond("frobnicate"), List.of("frobnicate"));
  }

  private static String[] with(String[] arguments, String... more) {
    String[] all = Arrays.copyOf(arguments, arguments.length + more.length);
    System.arraycopy(more, 0, all, arguments.length, more.length);
    return all;
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
}
