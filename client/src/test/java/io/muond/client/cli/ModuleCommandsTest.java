package io.muond.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.client.FakeServer;
import io.muond.modular.ModuleJson;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.Rule;
import io.muond.v1.Schedule;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The commands that take module trees. */
@Timeout(60)
class ModuleCommandsTest {
  private static final String GPT =
      "{\"gpt\":{\"name\":\"g\",\"vocabulary\":65,\"width\":128,\"blocks\":3}}";

  @TempDir private Path directory;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  private int run(String... args) {
    out.reset();
    err.reset();
    return Main.run(
        args,
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8));
  }

  private String output() {
    assertThat(err.toString(StandardCharsets.UTF_8)).isEmpty();
    return out.toString(StandardCharsets.UTF_8);
  }

  private String tree(String json) throws IOException {
    Path tree = directory.resolve("tree.json");
    Files.writeString(tree, json);
    return tree.toString();
  }

  @Test
  void plansOffline() throws IOException {
    String tree =
        tree(
            """
            {"sequence": [{"linear": {"name": "a", "out": 4, "in": 3}},
                          {"bond": {"kind": "relu"}},
                          {"linear": {"name": "b", "out": 2, "in": 4, "radius": 1}}]}
            """);
    assertThat(run("plan", "--module", tree, "--json")).isZero();
    JsonObject plan = JsonParser.parseString(output()).getAsJsonObject();
    assertThat(plan.keySet())
        .containsExactly(
            "atoms", "mass", "sensitivity", "lipschitz_bound", "no_lipschitz_bound_because");
    JsonObject atom = plan.getAsJsonArray("atoms").get(0).getAsJsonObject();
    assertThat(atom.keySet())
        .containsExactly("name", "mass", "sensitivity", "learning_rate_multiplier", "norm_bound");
    assertThat(atom.get("learning_rate_multiplier").getAsDouble()).isEqualTo(0.5);
    assertThat(atom.get("norm_bound").getAsDouble()).isEqualTo(1);
    assertThat(plan.get("lipschitz_bound").getAsDouble()).isEqualTo(1 / Math.sqrt(0.5));
    assertThat(run("plan", "--module", tree)).isZero();
    assertThat(output())
        .isEqualTo(
            """
            atom    shape  manifold      norm   mass  sensitivity  learning rate multiplier  norm bound
            a      [4, 3]   stiefel  spectral  1.000        1.000                    0.5000       1.000
            b      [2, 4]   stiefel  spectral  1.000        1.000                    0.5000       1.414
            total                              2.000        1.000
            Lipschitz bound: 1.414, for inputs of root mean square at most 1
            """);
  }

  /** The numbers of the library that the composition rules come from. */
  @Test
  void plansTheGpt() throws IOException {
    assertThat(run("plan", "--module", tree(GPT), "--json")).isZero();
    JsonObject plan = JsonParser.parseString(output()).getAsJsonObject();
    assertThat(plan.get("mass").getAsDouble()).isEqualTo(7);
    assertThat(plan.get("sensitivity").getAsDouble()).isCloseTo(1, within(1e-12));
    Map<String, Double> expected = new LinkedHashMap<>();
    expected.put("g.embed", 1 / 7.0);
    for (int block = 0; block < 3; block++) {
      for (String atom : List.of("v", "q", "k")) {
        expected.put("g." + atom + "." + block, 5 / 7.0);
      }
      for (String atom : List.of("o", "up", "down")) {
        expected.put("g." + atom + "." + block, 5 / 21.0);
      }
    }
    expected.put("g.head", 1 / 7.0);
    Map<String, Double> printed = new LinkedHashMap<>();
    for (JsonElement element : plan.getAsJsonArray("atoms")) {
      JsonObject atom = element.getAsJsonObject();
      printed.put(
          atom.get("name").getAsString(), atom.get("learning_rate_multiplier").getAsDouble());
    }
    assertThat(printed.keySet()).containsExactlyElementsOf(expected.keySet());
    expected.forEach(
        (name, multiplier) ->
            assertThat(printed.get(name)).as(name).isCloseTo(multiplier, within(1e-12)));
  }

  @Test
  void whatIsNotBoundedIsNull() throws IOException {
    String tree =
        tree(
            """
            {"sequence": [{"gain": {"name": "g", "size": 3}},
                          {"linear": {"name": "w", "out": 4, "in": 3, "ranges": [
                            {"name": "a", "rows": 1, "manifold": "sphere"},
                            {"name": "b", "rows": 3}]}}]}
            """);
    assertThat(run("plan", "--module", tree, "--json")).isZero();
    JsonObject plan = JsonParser.parseString(output()).getAsJsonObject();
    assertThat(plan.get("lipschitz_bound").isJsonNull()).isTrue();
    assertThat(plan.get("no_lipschitz_bound_because").getAsString())
        .isEqualTo("the weight at sequence[0].gain is not bounded on its manifold");
    JsonObject atom = plan.getAsJsonArray("atoms").get(0).getAsJsonObject();
    assertThat(atom.get("norm_bound").isJsonNull()).isTrue();
    assertThat(run("plan", "--module", tree)).isZero();
    assertThat(output())
        .contains("sphere+stiefel  frobenius+spectral")
        .contains("euclidean")
        .endsWith(
            "Lipschitz bound: none, because the weight at sequence[0].gain is not bounded on its"
                + " manifold\n");
  }

  @Test
  void aTreeThatIsNotUtf8IsToldByItsFile() throws IOException {
    Path tree = directory.resolve("latin1.json");
    Files.write(tree, "{\"bond\":{\"kind\":\"r\u00e9lu\"}}".getBytes(StandardCharsets.ISO_8859_1));
    assertThat(run("plan", "--module", tree.toString())).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            "muond plan: "
                + tree
                + ": bytes that are not UTF-8 (expected: a module tree as JSON, in UTF-8)\n");
  }

  @Test
  void theTableOfALargePlanDoesNotTakeForever() throws IOException {
    String atom = "{\"linear\":{\"name\":\"w\",\"out\":1,\"in\":1}}";
    String tree = tree("{\"repeat\":{\"count\":100000,\"of\":" + atom + "}}");
    assertThat(run("plan", "--module", tree)).isZero();
    assertThat(output()).contains("\nw.99999  ");
  }

  @Test
  void createsModelsFromTrees() throws IOException {
    String tree = tree(GPT);
    try (FakeServer server = new FakeServer()) {
      String[] arguments = {
        "model",
        "create",
        "--server",
        server.address(),
        "--model",
        "m",
        "--module",
        tree,
        "--seed",
        "7",
        "--momentum",
        "0.9",
        "--nesterov",
        "--precision",
        "float16",
        "--weight-decay",
        "0.1",
        "--schedule",
        "cosine,learning-rate=0.02,warmup-steps=10,total-steps=100,final-fraction=0.1",
        "--group-schedule",
        "head=constant,learning-rate=0.5",
        "--group-schedule",
        "tail=linear,learning-rate=1,total-steps=9",
        "--durability",
        "every=5,keep=3,keep-for=90m",
        "--lease",
        "90s"
      };
      assertThat(run(arguments)).isZero();
      assertThat(output())
          .contains("\ng.head  ")
          .endsWith("\nLipschitz bound: 1.000, for inputs of root mean square at most 1\n");
      assertThat(server.request("m"))
          .isEqualTo(
              CreateModelRequest.newBuilder()
                  .setModel("m")
                  .setModule(ModuleJson.parse(GPT))
                  .setSeed(7)
                  .setDefaultRule(
                      Rule.newBuilder()
                          .setMomentum(0.9)
                          .setNesterov(true)
                          .setPrecision(io.muond.v1.Precision.PRECISION_FLOAT16)
                          .setWeightDecay(0.1))
                  .setSchedule(
                      Schedule.newBuilder()
                          .setShape(Schedule.Shape.SHAPE_COSINE)
                          .setLearningRate(0.02)
                          .setWarmupSteps(10)
                          .setTotalSteps(100)
                          .setFinalFraction(0.1))
                  .putGroupSchedules(
                      "head",
                      Schedule.newBuilder()
                          .setShape(Schedule.Shape.SHAPE_CONSTANT)
                          .setLearningRate(0.5)
                          .build())
                  .putGroupSchedules(
                      "tail",
                      Schedule.newBuilder()
                          .setShape(Schedule.Shape.SHAPE_LINEAR)
                          .setLearningRate(1)
                          .setTotalSteps(9)
                          .build())
                  .setDurability(
                      Durability.newBuilder()
                          .setEverySteps(5)
                          .setKeepCount(3)
                          .setKeepFor(com.google.protobuf.Duration.newBuilder().setSeconds(5_400)))
                  .setLeaseTtl(com.google.protobuf.Duration.newBuilder().setSeconds(90))
                  .build());
      assertThat(run(arguments)).isEqualTo(1);
      assertThat(err.toString(StandardCharsets.UTF_8)).contains("exists");
      assertThat(
              run(
                  "model",
                  "create",
                  "n",
                  "--json",
                  "--server",
                  server.address(),
                  "--module",
                  tree,
                  "--seed",
                  "1"))
          .isZero();
      JsonObject model = JsonParser.parseString(output()).getAsJsonObject();
      assertThat(model.getAsJsonObject("plan").get("mass").getAsDouble()).isEqualTo(7);
      assertThat(model.getAsJsonArray("parameters")).hasSize(20);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          plan                          | {"linear": {}}                | tree.json: linear.name: missing
          model create m --seed 1       | {"linear": {}}                | tree.json: linear.name: missing
          model create m                | {}                            | --seed: none (expected: N)
          model create --seed 1         | {}                            | NAME: none (expected: a model's name)
          model create m --seed x       | {}                            | --seed: x (expected: a 64-bit integer)
          model create m --seed 1 --precision int8 | {}                 | --precision: int8 (expected one of float32
          model create m --seed 1 --schedule quick | {}                 | --schedule: quick (expected: a shape, one of constant, linear, cosine, decay)
          model create m --seed 1 --schedule linear,total | {}          | --schedule: total (expected: KEY=VALUE)
          model create m --seed 1 --schedule linear,total-steps=x | {}  | --schedule: total-steps=x (expected: a number)
          model create m --seed 1 --schedule linear,total=9 | {}        | --schedule: total=9 (expected: learning-rate, warmup-steps
          model create m --seed 1 --schedule linear,total-steps=1,total-steps=2 | {} | --schedule: total-steps=2 (expected: total-steps once)
          model create m --seed 1 --group-schedule constant,learning-rate=1 | {} | --group-schedule: constant,learning-rate=1 (expected: GROUP=SHAPE,KEY=VALUE
          model create m --seed 1 --group-schedule g=quick | {}         | --group-schedule: quick (expected: a shape, one of constant
          model create m --seed 1 --group-schedule g=constant --group-schedule g=linear | {} | --group-schedule: g twice (expected: one schedule for each group)
          model create m --seed 1 --durability never | {}               | --durability: never (expected: on-request, every-step or every=N
          model create m --seed 1 --durability every=2,keep=0 | {}      | --durability: every=2,keep=0 (expected: keep=N with N from 1 to 1000)
          model create m --seed 1 --durability every=2,keep=1001 | {}   | --durability: every=2,keep=1001 (expected: keep=N with N from 1 to 1000)
          model create m --seed 1 --durability every=2,keep-for=x | {}  | --durability: every=2,keep-for=x (expected: keep-for=TIME with a TIME like
          model create m --seed 1 --durability every=2,keep-for=9ms | {} | --durability: every=2,keep-for=9ms (expected: keep-for=TIME with a TIME of at least 1s)
          model create m --seed 1 --durability every=2,4 | {}           | --durability: every=2,4 (expected: keep=N or keep-for=TIME after the comma)
          model create m --seed 1 --lease soon | {}                     | --lease: soon (expected: a duration
          """)
  void faultsAreOneLine(String line, String json, String message) throws IOException {
    String[] words = line.split(" ");
    String[] module = {"--module", tree(json)};
    assertThat(run(Stream.of(words, module).flatMap(Stream::of).toArray(String[]::new)))
        .isEqualTo(1);
    String error = err.toString(StandardCharsets.UTF_8);
    assertThat(error.strip().lines()).hasSize(1);
    assertThat(error).contains(message);
  }
}
