package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
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
