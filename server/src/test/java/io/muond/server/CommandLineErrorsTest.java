package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.safetensors.Dtype;
import io.muond.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What the command line says of bad input, against the daemon: one line, in its own words. */
class CommandLineErrorsTest extends CommandLineFixture {
  static Stream<Arguments> badInput() {
    float[] good = gaussian(12, 1);
    float[] nan = good.clone();
    nan[7] = Float.NaN;
    float[] infinite = good.clone();
    infinite[4] = Float.NEGATIVE_INFINITY;
    return Stream.of(
        Arguments.of(
            Map.of("w", nan),
            "0.1",
            List.of("g: tensor \"w\", element 7: NaN (expected: a finite")),
        Arguments.of(
            Map.of("w", infinite), "0.1", List.of("g: tensor \"w\", element 4: -Infinity")),
        Arguments.of(Map.of("w", gaussian(15, 1)), "0.1", List.of("w", "5", "4", "3")),
        Arguments.of(Map.of("other", good), "0.1", List.of("w")),
        Arguments.of(Map.of("w", good, "other", good), "0.1", List.of("other")),
        Arguments.of(Map.of("w", good), "-0.1", List.of("--learning-rate: -0.1")),
        Arguments.of(Map.of("w", good), "NaN", List.of("--learning-rate: NaN")),
        Arguments.of(Map.of("w", good), "9", List.of("--learning-rate: 9.0", "8")));
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

  @ParameterizedTest
  @CsvSource({
    "--manifold=sphere, '--manifold: sphere (expected: stiefel, as model \"fixed\"'",
    "--norm=frobenius, '--norm: frobenius (expected: spectral,'",
    "--radius=1, '--radius: 1.0 (expected: 2.0,'",
    "--radius=auto, '--radius: auto (expected: 2.0,'",
    "--solver=exact, '--solver: exact (expected: admm,'",
    "--precision=tf32, '--precision: tf32 (expected: float32,'",
    "--msign-steps=8, '--msign-steps: 8 (expected: 6,'",
    "--momentum=0, '--momentum: 0.0 (expected: 0.5,'",
    "--nesterov, '--nesterov: true (expected: false,'",
    "--durability=every-step, '--durability: every-step (expected: every=2,'"
  })
  void otherSettingsThanTheModelsAreRefused(String option, String expected) throws IOException {
    Path weights = write("w", Map.of("w", gaussian(12, 9)), 3);
    String[] step = {
      "step",
      "--server=" + daemon.grpc(),
      "--model=fixed",
      "--weights=" + weights,
      "--gradients=" + weights,
      "--learning-rate=0.1",
      "--until-step=1",
      "--out=" + file("out")
    };
    String[] settings = {
      "--radius=2", "--solver=admm", "--msign-steps=6", "--momentum=0.5", "--durability=every=2"
    };
    muond(with(step, settings)).succeeded();
    muond(with(step, settings)).succeeded();
    muond(step).succeeded();
    expectFailure(muond(with(step, option)), List.of(expected));
    Path others = write("other", Map.of("w", gaussian(15, 9)), 3);
    String[] more = {"--weights=" + others, "--gradients=" + others};
    String[] all = step.clone();
    System.arraycopy(more, 0, all, 3, 2);
    expectFailure(muond(all), List.of("other: tensor \"w\": shape [5, 3] (expected: [4, 3]"));
    muond("model", "delete", "fixed", "--server=" + daemon.grpc()).succeeded();
  }

  @ParameterizedTest
  @CsvSource({
    "--radius=0, --radius: 0.0 (expected: a number > 0",
    "--momentum=1, '--momentum: 1.0 (expected: a number in [0, 1))'",
    "--precision=bfloat16, --precision: bfloat16 (expected: one that the engine",
    "--learning-rate=8.5, --learning-rate: 8.5 (expected: times its multiplier at most 8.0",
    "--weight-decay=0.1, '--weight-decay: 0.1 (expected: only with the manifold euclidean)'",
    "--view=kernel-positions, '--view: kernel-positions (expected: 3 or more dimensions'",
    "--weights=vector, 'vector: tensor \"t\": shape: (4) (expected: 2 or more dimensions on stiefel'"
  })
  void theServersRefusalsAreInTheWordsOfTheCommandLine(String option, String expected)
      throws IOException {
    Map<String, String> step = new TreeMap<>();
    Path weights = write("w", Map.of("w", gaussian(12, 9)), 3);
    step.put("--weights", weights.toString());
    step.put("--learning-rate", "0.1");
    String[] given = option.split("=", 2);
    step.put(given[0], given[1]);
    if (given[1].equals("vector")) {
      new SafetensorsWriter()
          .tensor("t", Dtype.F32, List.of(4L), (offset, into) -> into.put(new byte[16]))
          .writeTo(file("vector"));
      step.put("--weights", file("vector").toString());
    }
    step.put("--gradients", step.get("--weights"));
    step.put("--out", file("out").toString());
    String[] arguments =
        step.entrySet().stream()
            .map(entry -> entry.getKey() + "=" + entry.getValue())
            .toArray(String[]::new);
    expectFailure(
        muond(with(new String[] {"step", "--server=" + daemon.grpc()}, arguments)),
        List.of(expected));
  }
}
