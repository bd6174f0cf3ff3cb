package io.muond.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.client.FakeServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code muond bench} in this process, against a fake server over TCP. */
@Timeout(60)
class BenchTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private FakeServer server;

  @BeforeEach
  void start() throws IOException {
    server = new FakeServer();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private int bench(String... args) {
    out.reset();
    return Main.run(
        Stream.concat(Stream.of("bench"), Stream.of(args)).toArray(String[]::new),
        new PrintStream(out, true, StandardCharsets.UTF_8),
        System.err);
  }

  private String output() {
    return out.toString(StandardCharsets.UTF_8);
  }

  @Test
  void benchesStepsOfEveryShapeAndSolver() {
    assertThat(
            bench(
                "step",
                "--json",
                "--shapes",
                "4x4,6x3,2x6x3+3x4+6x3,2x5x5",
                "--solvers",
                "exact,dual-ascent",
                "--precision",
                "tf32",
                "--repeats",
                "2",
                "--server",
                server.address()))
        .isZero();
    JsonObject json = JsonParser.parseString(output()).getAsJsonObject();
    assertThat(json.get("gemm_gflops").getAsDouble()).isEqualTo(100);
    // A square shape has dual ascent's first iteration beside the full run.
    assertThat(json.getAsJsonArray("results")).hasSize(10);
    JsonObject first = json.getAsJsonArray("results").get(0).getAsJsonObject();
    assertThat(first.get("feasible_objective_over_optimum").getAsDouble()).isEqualTo(0.75);
    assertThat(first.get("share_of_gemm").getAsDouble()).isEqualTo(0.01);
    assertThat(first.get("seconds").getAsDouble()).isEqualTo(0.001);
    assertThat(first.get("precision").getAsString()).isEqualTo("tf32");
    JsonObject layers = json.getAsJsonArray("results").get(5).getAsJsonObject();
    assertThat(layers.get("case").getAsString()).isEqualTo("2x6x3+3x4+6x3");
    assertThat(layers.get("shapes").toString()).isEqualTo("[[2,6,3],[3,4],[6,3]]");
    // Those of 6x3 are one batch, whose seconds both parameters tell.
    assertThat(layers.get("seconds").getAsDouble()).isEqualTo(0.002);
    assertThat(layers.get("floating_point_operations").getAsDouble()).isEqualTo(3e6);
    assertThat(layers.get("feasible_objective_over_optimum").getAsDouble()).isEqualTo(0.75);
    assertThat(server.modelNames()).isEmpty();
    assertThat(bench("step", "--shapes", "4x4", "--server", server.address())).isZero();
    assertThat(output()).contains("4x4").contains("projected");
  }

  @Test
  void benchesStreams() {
    assertThat(
            bench(
                "stream",
                "--json",
                "--sizes=1",
                "--repeats=1",
                "--warm-up=0",
                "--server=" + server.address()))
        .isZero();
    JsonObject result =
        JsonParser.parseString(output())
            .getAsJsonObject()
            .getAsJsonArray("results")
            .get(0)
            .getAsJsonObject();
    assertThat(result.get("bytes").getAsLong()).isEqualTo(1_000_000);
    assertThat(result.get("push_gigabytes_per_second").getAsDouble()).isPositive();
    assertThat(server.modelNames()).isEmpty();
  }
}
