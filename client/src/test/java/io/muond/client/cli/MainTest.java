package io.muond.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.client.FakeServer;
import io.muond.safetensors.Dtype;
import io.muond.safetensors.SafetensorsFile;
import io.muond.safetensors.SafetensorsWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The command line in this process, against a fake server over TCP. */
@Timeout(60)
class MainTest {
  @TempDir private Path directory;
  private FakeServer server;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @BeforeEach
  void start() throws IOException {
    server = new FakeServer();
    write("w.safetensors", "w", 3, 2, 1, 2, 3, 4, 5, 6);
    write("g.safetensors", "w", 3, 2, 1, 1, 1, 1, 1, 2);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private void write(String file, String name, long rows, long columns, double... values)
      throws IOException {
    new SafetensorsWriter()
        .tensor(
            name,
            Dtype.F64,
            List.of(rows, columns),
            (offset, into) -> {
              for (long i = offset / 8; into.hasRemaining(); i++) {
                into.putDouble(values[(int) i]);
              }
            })
        .writeTo(directory.resolve(file));
  }

  private String path(String file) {
    return directory.resolve(file).toString();
  }

  private int run(String... args) {
    out.reset();
    err.reset();
    return Main.run(
        args,
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8));
  }

  private int step(String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "step",
                "--server",
                server.address(),
                "--weights",
                path("w.safetensors"),
                "--gradients",
                path("g.safetensors"),
                "--learning-rate",
                "0.5"));
    args.addAll(Arrays.asList(more));
    return run(args.toArray(String[]::new));
  }

  private String output() {
    return out.toString(StandardCharsets.UTF_8);
  }

  private void assertOneLine(int status, String... parts) {
    String errors = err.toString(StandardCharsets.UTF_8);
    assertThat(status).isEqualTo(1);
    assertThat(errors.lines()).hasSize(1);
    assertThat(errors).startsWith("muond").endsWith("\n");
    assertThat(parts).allSatisfy(part -> assertThat(errors).contains(part));
    assertThat(output()).isEmpty();
  }

  private float[] weights(String file) throws IOException {
    try (SafetensorsFile tensors = SafetensorsFile.open(directory.resolve(file))) {
      float[] values = new float[6];
      assertThat(tensors.tensor("w").dtype()).isEqualTo(Dtype.F32);
      assertThat(tensors.tensor("w").shape()).containsExactly(3L, 2L);
      tensors.readFloats("w", 0, values);
      return values;
    }
  }

  @Test
  void stepsALeasedModelAndDeletesIt() throws IOException {
    int status = step("--steps", "2", "--out", path("w2.safetensors"), "--report", path("r.json"));
    assertThat(err.toString(StandardCharsets.UTF_8)).isEmpty();
    assertThat(status).isZero();
    assertThat(weights("w2.safetensors")).containsExactly(0, 1, 2, 3, 4, 4);
    assertThat(server.modelNames()).isEmpty();
    JsonObject report =
        JsonParser.parseString(Files.readString(directory.resolve("r.json"))).getAsJsonObject();
    assertThat(report.getAsJsonArray("steps")).hasSize(2);
    JsonObject second = report.getAsJsonArray("steps").get(1).getAsJsonObject();
    assertThat(second.get("step").getAsLong()).isEqualTo(2);
    assertThat(second.getAsJsonArray("parameters").get(0).getAsJsonObject().keySet())
        .containsExactly(
            "name",
            "objective",
            "optimum",
            "tangency_rms",
            "orthogonality_max",
            "update_norm",
            "solver_iterations",
            "seconds");
  }

  @Test
  void continuesANamedModelUntilAStep() throws IOException {
    String out2 = path("w2.safetensors");
    assertThat(step("--model", "m", "--out", out2)).isZero();
    assertThat(step("--model", "m", "--until-step", "3", "--out", out2)).isZero();
    assertThat(step("--model", "m", "--until-step", "3", "--out", out2)).isZero();
    assertThat(weights("w2.safetensors")).containsExactly(-0.5f, 0.5f, 1.5f, 2.5f, 3.5f, 3);
    assertThat(server.modelNames()).containsExactly("m");
    assertThat(run("model", "list", "--json", "--server", server.address())).isZero();
    assertThat(
            JsonParser.parseString(output())
                .getAsJsonObject()
                .getAsJsonArray("models")
                .get(0)
                .getAsJsonObject()
                .get("committed_step")
                .getAsLong())
        .isEqualTo(3);
    assertThat(run("weights", "read", "--model", "m", "--out", out2, "--server", server.address()))
        .isZero();
    assertThat(run("model", "get", "m", "--server", server.address())).isZero();
    assertThat(run("model", "get", "--model", "m", "--server", server.address())).isZero();
    assertThat(output()).startsWith("m, incarnation");
    assertOneLine(run("model", "delete", "--server", server.address()), "NAME: none (expected");
    assertOneLine(run("model", "delete", "m", "--model", "x"), "--model: x (expected: not");
    assertThat(run("model", "delete", "m", "--server", server.address())).isZero();
    assertThat(server.modelNames()).isEmpty();
  }

  @Test
  void aModelIsWhereTheOptionsPutIt() {
    String[] muon = {
      "--manifold=euclidean",
      "--norm=spectral",
      "--view=flattened",
      "--weight-decay=0.1",
      "--momentum=0.9",
      "--model=m",
      "--out=" + path("w2.safetensors")
    };
    assertThat(step(muon)).isZero();
    assertThat(run("model", "get", "m", "--json", "--server", server.address())).isZero();
    JsonObject w =
        JsonParser.parseString(output())
            .getAsJsonObject()
            .getAsJsonArray("parameters")
            .get(0)
            .getAsJsonObject();
    assertThat(w.get("manifold").getAsString()).isEqualTo("euclidean");
    assertThat(w.get("norm").getAsString()).isEqualTo("spectral");
    assertThat(w.get("view").getAsString()).isEqualTo("flattened");
    assertOneLine(
        step("--manifold=euclidean", "--norm=adamw", "--model=m", "--out=" + path("o")),
        "--norm: adamw (expected: spectral, as model \"m\"");
    assertOneLine(
        step("--manifold=oblique", "--norm=spectral", "--out=" + path("o")),
        "--norm: spectral (expected: largest-row or largest-column on the manifold oblique)");
  }

  @ParameterizedTest
  @CsvSource({
    "--solver,newton,--solver: newton (expected one of exact",
    "--precision,float8,--precision: float8",
    "--manifold,torus,--manifold: torus",
    "--norm,frobenious,--norm: frobenious (expected one of spectral",
    "--view,sideways,--view: sideways (expected one of last-two",
    "--radius,big,--radius: big",
    "--durability,every=0,--durability: every=0",
    "--msign-steps,0,--msign-steps: 0 (expected: 1 to 64)",
    "--steps,0,--steps: 0 (expected: >= 1)",
    "--steps,two,--steps: two (expected: a 64-bit integer)",
    "--momentum,nan,--momentum: nan (expected: a finite number)",
    "--reconnect-timeout,soon,--reconnect-timeout: soon (expected: a duration",
    "--learning-rate,0.5,--learning-rate: given twice (expected: once)",
    "--out,/nowhere/at/all,--out: /nowhere/at/all",
    "--wrong,1,--wrong: unknown argument (expected: what muond step --help tells)"
  })
  void wrongOptionsAreOneLine(String option, String value, String expected) {
    int status =
        option.equals("--out")
            ? step(option, value)
            : step(option, value, "--out", path("w2.safetensors"));
    assertOneLine(status, expected);
    assertThat(server.modelNames()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "bogus",
        "model",
        "bench",
        "step",
        "plan",
        "plan --module /nowhere.json --json",
        "model get --server nonsense m",
        "model get --server 127.0.0.1:99999 m",
        "bench step --shapes 3by4",
        "bench step --shapes ,",
        "bench step --shapes 3x4+",
        "bench step --shapes 2x2x3x4",
        "bench step --precision float8",
        "bench step --model /nowhere.json --shapes 3x4",
        "bench step --model /nowhere.json --solvers admm",
        "bench step --msign-steps 0",
        "bench stream --sizes 0",
        "bench stream --sizes ,",
        "bench stream --warm-up -1",
        "help bogus"
      })
  void wrongCommandsAreOneLine(String line) {
    assertOneLine(run(line.isEmpty() ? new String[0] : line.split(" ", -1)));
  }

  @Test
  void resultsThatCannotBeWrittenAreAnError() {
    OutputStream full =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("no space left");
          }
        };
    err.reset();
    int status =
        Main.run(
            new String[] {"status", "--server", server.address()},
            new PrintStream(full, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8));
    assertOneLine(status, "results: cannot be written");
  }

  @Test
  void aMistypedWordIsNamedBeforeWhatIsMissing() {
    assertOneLine(run("stpe"), "command: stpe (expected one of step, plan,");
    assertOneLine(run("model", "lst"), "command: lst (expected one of create, list, get, delete)");
    assertOneLine(run("step", "--wieghts", "w"), "--wieghts: unknown argument");
    assertOneLine(run("help", "stpe"), "command: stpe (expected one of step, plan,");
    assertOneLine(run("bench", "step", "--solvers", "newton"), "--solvers: newton (expected one");
    assertOneLine(run("checkpoint", "save"), "--model: none (expected: NAME)");
    assertOneLine(run("checkpoint", "save", "--model"), "--model: none (expected: NAME)");
    assertOneLine(run("plan", "--module", directory.toString()), directory + " (expected: a file)");
  }

  @Test
  void gradientsThatDoNotMatchAreNamed() throws IOException {
    String out2 = path("w2.safetensors");
    write("g.safetensors", "w", 2, 3, 1, 1, 1, 1, 1, 1);
    assertOneLine(step("--out", out2), "\"w\"", "[2, 3]", "[3, 2]");
    write("g.safetensors", "v", 3, 2, 1, 1, 1, 1, 1, 1);
    assertOneLine(step("--out", out2), "no tensor \"w\"");
    write("g.safetensors", "w", 3, 2, 1, 1, Double.NaN, 1, 1, 1);
    assertOneLine(step("--out", out2), "NaN");
    write("g.safetensors", "w", 3, 2, 1, 1, 1, 1e300, 1, 1);
    assertOneLine(step("--out", out2), "Infinity");
    Files.writeString(directory.resolve("g.safetensors"), "not tensors at all");
    assertOneLine(step("--out", out2), "g.safetensors", "not a safetensors file");
    Files.delete(directory.resolve("g.safetensors"));
    assertOneLine(step("--out", out2), "g.safetensors", "no such file");
    assertThat(server.modelNames()).isEmpty();
    assertThat(directory.resolve("w2.safetensors")).doesNotExist();
  }

  @Test
  void anUnknownTensorIsNamed() throws IOException {
    new SafetensorsWriter()
        .tensor("w", Dtype.F32, List.of(3L, 2L), (offset, into) -> into.put(new byte[24]))
        .tensor("extra", Dtype.F32, List.of(1L), (offset, into) -> into.put(new byte[4]))
        .writeTo(directory.resolve("g.safetensors"));
    assertOneLine(step("--out", path("w2.safetensors")), "unknown tensor \"extra\"");
  }

  @Test
  void aServerThatIsNotThereIsOneLine() {
    server.close();
    assertOneLine(
        run("status", "--server", server.address(), "--reconnect-timeout", "200ms"),
        "cannot reach the server " + server.address());
  }

  @Test
  void aModelThatDoesNotExistIsOneLine() {
    assertOneLine(
        run("model", "get", "nobody", "--server", server.address()), "\"nobody\"", "existing");
    assertOneLine(
        run(
            "checkpoint",
            "delete",
            "--model",
            "m",
            "--checkpoint",
            "c9",
            "--server",
            server.address()),
        "c9");
  }

  @Test
  void aServerThatGoesAwayInTheMiddleIsOneLine() {
    server.disturb(
        at -> {
          if (at.equals("commit")) {
            server.close();
          }
        });
    assertOneLine(
        step("--out", path("w2.safetensors"), "--reconnect-timeout", "300ms"),
        "cannot reach the server");
  }

  @Test
  void statusAndCheckpointsInBothForms() {
    assertThat(run("status", "--server", server.address())).isZero();
    assertThat(output()).contains("engine cpu").contains("fake device");
    assertThat(run("status", "--json", "--server", server.address())).isZero();
    assertThat(JsonParser.parseString(output()).getAsJsonObject().get("engine").getAsString())
        .isEqualTo("cpu");
    assertThat(run("checkpoint", "list", "--server", server.address())).isZero();
    assertThat(output()).contains("c1").contains("2023-11-14T22:13:20Z");
    assertThat(run("checkpoint", "save", "--model", "m", "--json", "--server", server.address()))
        .isZero();
    assertThat(output()).contains("\"checkpoint\": \"c1\"");
  }

  @Test
  void helpAndVersionSucceed() {
    assertThat(run("--version")).isZero();
    assertThat(output()).startsWith("muond ");
    assertThat(run("step", "--help")).isZero();
    assertThat(output()).contains("--learning-rate");
    String help = output();
    assertThat(run("help", "step")).isZero();
    assertThat(output()).isEqualTo(help);
  }
}
