package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.server.engine.TestEngines;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A daemon on a CUDA device beside one on the CPU, through the command line and files. */
class CudaDaemonTest extends CommandLineFixture {
  private static final List<String> NAMES = List.of("square", "tall", "wide");

  @BeforeAll
  static void cuda() {
    assumeTrue(TestEngines.isCuda(), "-Dmuond.test.engine=cuda");
  }

  private Path tensors(String name, int seed) throws IOException {
    return write(
        name,
        Map.of(
            "square", gaussian(24 * 24, seed),
            "tall", gaussian(80 * 24, seed + 1),
            "wide", gaussian(10 * 24, seed + 2)),
        24);
  }

  private static String[] step(DaemonProcess server, Path weights, Path gradients)
      throws IOException {
    return new String[] {
      "step",
      "--server=" + server.grpc(),
      "--weights=" + weights,
      "--gradients=" + gradients,
      "--learning-rate=0.1",
      "--msign-steps=20",
      "--momentum=0.9"
    };
  }

  @Test
  void agreesWithTheCpu() throws Exception {
    Path weights = tensors("w", 1);
    Path gradients = tensors("g", 4);
    String[] outputs = {"--steps=4", "--out=" + file("cuda"), "--report=" + file("cuda.json")};
    muond(with(step(daemon, weights, gradients), outputs)).succeeded();
    try (DaemonProcess cpu = DaemonProcess.serve(directory, "--engine=cpu")) {
      String[] others = {"--steps=4", "--out=" + file("cpu"), "--report=" + file("cpu.json")};
      muond(with(step(cpu, weights, gradients), others)).succeeded();
      assertThat(cpu.terminate()).isZero();
    }
    for (String name : NAMES) {
      float[] expected = read(file("cpu"), name);
      assertThat(read(file("cuda"), name)).containsExactly(expected, within(1e-5f));
    }
    JsonObject found = lastStep("cuda.json");
    JsonObject expected = lastStep("cpu.json");
    for (int i = 0; i < NAMES.size(); i++) {
      JsonObject onCuda = found.getAsJsonArray("parameters").get(i).getAsJsonObject();
      JsonObject onCpu = expected.getAsJsonArray("parameters").get(i).getAsJsonObject();
      for (String number : List.of("objective", "optimum", "update_norm")) {
        double value = onCpu.get(number).getAsDouble();
        assertThat(onCuda.get(number).getAsDouble())
            .as("%s of %s", number, onCpu.get("name"))
            .isCloseTo(value, within(1e-5 * value));
      }
    }
  }

  private JsonObject lastStep(String name) throws IOException {
    List<JsonElement> steps =
        JsonParser.parseString(Files.readString(file(name)))
            .getAsJsonObject()
            .getAsJsonArray("steps")
            .asList();
    return steps.get(steps.size() - 1).getAsJsonObject();
  }

  @Test
  void aGradientThatIsNotFiniteChangesNothing() throws IOException {
    Path weights = tensors("w", 1);
    Path gradients = tensors("g", 4);
    String[] keep = {"--model=kept", "--steps=1"};
    String[] good = with(step(daemon, weights, gradients), keep);
    muond(with(good, "--out=" + file("first"))).succeeded();
    float[] bad = gaussian(80 * 24, 5);
    bad[1000] = Float.NaN;
    Map<String, float[]> broken =
        Map.of("square", gaussian(24 * 24, 4), "tall", bad, "wide", gaussian(10 * 24, 6));
    String[] refused = with(step(daemon, weights, write("bad", broken, 24)), keep);
    expectFailure(
        muond(with(refused, "--out=" + file("none"))),
        List.of("bad: tensor \"tall\", element 1000: NaN (expected: a finite"));
    assertThat(file("none")).doesNotExist();
    String[] server = {"--model=kept", "--server=" + daemon.grpc()};
    String[] reading = with(new String[] {"weights", "read", "--out=" + file("read")}, server);
    muond(reading).succeeded();
    for (String name : NAMES) {
      assertThat(read(file("read"), name)).isEqualTo(read(file("first"), name));
    }
    muond(with(good, "--out=" + file("second"))).succeeded();
    muond("model", "delete", "kept", "--server=" + daemon.grpc()).succeeded();
  }

  @Test
  void itTellsOfItsDevice() throws IOException {
    JsonObject status =
        JsonParser.parseString(
                muond("status", "--json", "--server=" + daemon.grpc()).succeeded().out())
            .getAsJsonObject();
    assertThat(status.get("engine").getAsString()).isEqualTo("cuda");
    assertThat(status.getAsJsonArray("devices")).isNotEmpty();
  }
}
