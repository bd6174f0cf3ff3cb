package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Module trees from the command line to the daemon's weights. */
class ModuleCommandsTest extends CommandLineFixture {
  private static final int WIDTH = 8;

  private Path tree(String json) throws IOException {
    return Files.writeString(file("tree.json"), json);
  }

  private static JsonObject json(Outcome outcome) {
    return JsonParser.parseString(outcome.succeeded().out()).getAsJsonObject();
  }

  @Test
  void aGptIsOneLineOfJson() throws IOException {
    Path tree = tree("{\"gpt\":{\"vocabulary\":9,\"width\":" + WIDTH + ",\"blocks\":2}}");
    JsonObject plan = json(muond("plan", "--module=" + tree, "--json"));
    String server = "--server=" + daemon.grpc();
    JsonObject created =
        json(
            muond(
                "model",
                "create",
                server,
                "--json",
                "--model=gpt",
                "--module=" + tree,
                "--seed=3"));
    assertThat(created.get("plan")).isEqualTo(plan);
    assertThat(created.get("ready").getAsBoolean()).isTrue();
    assertThat(json(muond("model", "get", "gpt", server, "--json")).get("plan")).isEqualTo(plan);
    JsonArray parameters = created.getAsJsonArray("parameters");
    JsonArray atoms = plan.getAsJsonArray("atoms");
    assertThat(parameters).hasSameSizeAs(atoms).hasSize(14);
    for (int i = 0; i < atoms.size(); i++) {
      for (String key : List.of("name", "learning_rate_multiplier")) {
        assertThat(get(parameters, i, key)).isEqualTo(get(atoms, i, key));
      }
    }
    muond("weights", "read", server, "--model=gpt", "--out=" + file("gpt")).succeeded();
    assertThat(norm(read(file("gpt"), "embed"))).isCloseTo(Math.sqrt(9.0 * WIDTH), within(1e-4));
    assertThat(norm(read(file("gpt"), "up.1"))).isCloseTo(Math.sqrt(4.0 * WIDTH), within(1e-4));
    muond("model", "delete", "gpt", server).succeeded();
  }

  private static JsonElement get(JsonArray array, int index, String key) {
    return array.get(index).getAsJsonObject().get(key);
  }

  private static double norm(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += (double) value * value;
    }
    return Math.sqrt(sum);
  }

  @Test
  void whatIsFrozenIsLeftOutOfSteps() throws IOException {
    Path tree =
        tree(
            """
            {"sequence": [{"linear": {"name": "a", "out": 4, "in": 4, "rule": {"frozen": true}}},
                          {"linear": {"name": "b", "out": 4, "in": 4}}]}
            """);
    String server = "--server=" + daemon.grpc();
    muond("model", "create", server, "--model=half", "--module=" + tree, "--seed=3").succeeded();
    Path before = file("before");
    muond("weights", "read", server, "--model=half", "--out=" + before).succeeded();
    Path gradients = write("g", Map.of("a", gaussian(16, 1), "b", gaussian(16, 2)), 4);
    muond(
            "step",
            server,
            "--model=half",
            "--weights=" + before,
            "--gradients=" + gradients,
            "--learning-rate=0.1",
            "--out=" + file("after"))
        .succeeded();
    assertThat(read(file("after"), "a")).isEqualTo(read(before, "a"));
    assertThat(read(file("after"), "b")).isNotEqualTo(read(before, "b"));
    muond("model", "delete", "half", server).succeeded();
  }

  /** The server says the rates, and when checkpoints are written; the lease is the server's too. */
  @Test
  void aModelKeepsItsSchedules() throws IOException {
    Path tree =
        tree(
            """
            {"tuple": [{"linear": {"name": "a", "out": 4, "in": 4,
                                   "rule": {"solver": "admm", "momentum": 0.5, "nesterov": true}}},
                       {"gain": {"name": "g", "size": 4, "group": "gains"}}]}
            """);
    String server = "--server=" + daemon.grpc();
    muond(
            "model",
            "create",
            server,
            "--model=planned",
            "--module=" + tree,
            "--seed=3",
            "--schedule=linear,learning-rate=0.5,total-steps=4",
            "--group-schedule=gains=constant,learning-rate=0.25",
            "--durability=every=2,keep=5,keep-for=24h",
            "--lease=10m",
            "--overlap-steps")
        .succeeded();
    String text = muond("model", "get", "planned", server).succeeded().out();
    assertThat(text)
        .contains("checkpoints: every=2,keep=5,keep-for=24h\n")
        .contains("steps: may overlap\n")
        .contains("schedule: linear,learning-rate=0.5,total-steps=4,final-fraction=0.0\n")
        .contains("schedule of gains: constant,learning-rate=0.25\n")
        .contains("solver=admm rho=4.0 iterations=10")
        .contains("momentum=0.5 nesterov=true")
        .contains("beta1=0.9 beta2=0.999 epsilon=1.0E-8")
        .contains("initial=one");
    JsonObject model = json(muond("model", "get", "planned", server, "--json"));
    assertThat(model.get("durability").getAsString()).isEqualTo("every=2,keep=5,keep-for=24h");
    assertThat(model.get("overlap_steps").getAsBoolean()).isTrue();
    assertThat(model.get("keep_count").getAsInt()).isEqualTo(5);
    assertThat(model.get("keep_for_seconds").getAsLong()).isEqualTo(86_400);
    assertThat(model.get("lease_seconds").getAsLong()).isEqualTo(600);
    assertThat(model.getAsJsonObject("schedule").get("shape").getAsString()).isEqualTo("linear");
    assertThat(model.getAsJsonObject("group_schedules").keySet()).containsExactly("gains");
    JsonArray parameters = model.getAsJsonArray("parameters");
    assertThat(get(parameters, 0, "nesterov").getAsBoolean()).isTrue();
    assertThat(get(parameters, 0, "admm").getAsJsonObject().get("rho").getAsDouble()).isEqualTo(4);
    assertThat(get(parameters, 1, "initial").getAsString()).isEqualTo("one");
    assertThat(get(parameters, 1, "adamw").getAsJsonObject().get("beta1").getAsDouble())
        .isEqualTo(0.9);
    Path weights = file("weights");
    muond("weights", "read", server, "--model=planned", "--out=" + weights).succeeded();
    String[] step = {
      "step", server, "--model=planned", "--weights=" + weights, "--gradients=" + weights
    };
    muond(with(step, "--steps=2", "--out=" + file("after"))).succeeded();
    JsonObject stepped = json(muond("inspect", server, "--model=planned", "--json"));
    JsonArray inspected = stepped.getAsJsonArray("parameters");
    // Step 2 of 4, times the atom's share: half of the mass.
    assertThat(rate(inspected, 0)).isEqualTo(0.5 * 0.5 * 0.5);
    assertThat(rate(inspected, 1)).isEqualTo(0.25 * 0.5);
    assertThat(get(inspected, 0, "last_step").getAsJsonObject().get("tangency_rms").isJsonNull())
        .isFalse();
    assertThat(json(muond("model", "get", "planned", server, "--json")).get("durable_step"))
        .isEqualTo(new JsonPrimitive(2));
    muond("model", "delete", "planned", server).succeeded();
  }

  private static double rate(JsonArray inspected, int index) {
    return get(inspected, index, "last_step").getAsJsonObject().get("learning_rate").getAsDouble();
  }

  @Test
  void withoutAScheduleARateIsAskedFor() throws IOException {
    Path tree = tree("{\"linear\": {\"name\": \"a\", \"out\": 4, \"in\": 4}}");
    String server = "--server=" + daemon.grpc();
    muond("model", "create", server, "--model=bare", "--module=" + tree, "--seed=3").succeeded();
    Path weights = file("weights");
    muond("weights", "read", server, "--model=bare", "--out=" + weights).succeeded();
    String[] step = {
      "step", server, "--weights=" + weights, "--gradients=" + weights, "--out=" + file("after")
    };
    expectFailure(
        muond(with(step, "--model=bare")),
        List.of("--learning-rate: none", "model \"bare\" has no schedule for tensor \"a\""));
    expectFailure(
        muond(with(step, "--model=new")),
        List.of("--learning-rate: none", "\"new\" does not exist"));
    expectFailure(muond(step), List.of("--learning-rate: none", "--model"));
    expectFailure(
        muond("model", "create", "short", server, "--module=" + tree, "--seed=3", "--lease=10ms"),
        List.of("--lease: ", "at least 1 s"));
    muond("model", "delete", "bare", server).succeeded();
  }

  @Test
  void aBadTreeMakesNothing() throws IOException {
    Path tree =
        tree(
            """
            {"sequence": [{"linear": {"name": "a", "out": 4, "in": 4}},
                          {"gain": {"name": "g", "size": 4, "rule": {"adamw": {"beta1": 1}}}}]}
            """);
    expectFailure(
        muond(
            "model", "create", "bad", "--server=" + daemon.grpc(), "--module=" + tree, "--seed=3"),
        List.of("sequence[1].gain.rule.adamw.beta1: 1.0 (expected: a number in [0, 1))"));
    assertThat(muond("model", "list", "--server=" + daemon.grpc()).succeeded().out())
        .doesNotContain("bad");
  }
}
