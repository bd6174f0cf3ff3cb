package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** {@code muond inspect} of a model that has stepped, and {@code muond bench step --model}. */
class InspectCommandTest extends CommandLineFixture {
  private String server;

  @BeforeEach
  void step() throws IOException {
    server = "--server=" + daemon.grpc();
    Map<String, float[]> tensors = new TreeMap<>();
    tensors.put("a", gaussian(24 * 16, 1));
    tensors.put("b", gaussian(16 * 16, 2));
    Path weights = write("w", tensors, 16);
    tensors.put("a", gaussian(24 * 16, 3));
    tensors.put("b", gaussian(16 * 16, 4));
    muond(
            "step",
            server,
            "--model=inspected",
            "--weights=" + weights,
            "--gradients=" + write("g", tensors, 16),
            "--learning-rate=0.1",
            "--radius=2",
            "--momentum=0.9",
            "--steps=3",
            "--out=" + file("out"))
        .succeeded();
  }

  @AfterEach
  void delete() {
    muond("model", "delete", "inspected", server).succeeded();
  }

  private static JsonObject json(Outcome outcome) {
    return JsonParser.parseString(outcome.succeeded().out()).getAsJsonObject();
  }

  @Test
  void valuesAndTheLastStepAsJson() {
    JsonObject json = json(muond("inspect", server, "--model=inspected", "--json"));
    assertThat(json.get("step").getAsLong()).isEqualTo(3);
    JsonArray parameters = json.getAsJsonArray("parameters");
    assertThat(parameters).hasSize(2);
    for (int i = 0; i < 2; i++) {
      JsonObject parameter = parameters.get(i).getAsJsonObject();
      assertThat(parameter.get("measure").getAsString()).isEqualTo("singular_values");
      assertThat(parameter.getAsJsonArray("values"))
          .hasSize(16)
          .allSatisfy(v -> assertThat(v.getAsDouble()).isCloseTo(2, within(1e-5)));
      assertThat(parameter.get("residual").getAsDouble()).isLessThan(5e-6);
      JsonObject step = parameter.getAsJsonObject("last_step");
      assertThat(step.get("learning_rate").getAsDouble()).isEqualTo(0.1);
      assertThat(step.get("budget_used").getAsDouble()).isBetween(0.9, 1.01);
      assertThat(step.get("alignment").getAsDouble()).isBetween(0.1, 1.0);
    }
  }

  @Test
  void aLineForEachParameter() {
    String out = muond("inspect", server, "--model=inspected", "--parameters=b").succeeded().out();
    List<String> lines = out.lines().toList();
    assertThat(lines).hasSize(3);
    assertThat(lines.get(0)).isEqualTo("inspected at step 3");
    // All singular values are one: a full bar in the middle.
    assertThat(lines.get(2)).startsWith("b ").contains("singular values", "2.000", "█", " %");
  }

  @Test
  void aPicture() throws IOException {
    Path png = file("inspected.png");
    muond("inspect", server, "--model=inspected", "--png=" + png).succeeded();
    BufferedImage image = ImageIO.read(png.toFile());
    assertThat(image.getWidth()).isEqualTo(2 * 2 * 300);
    int bars = 0;
    for (int x = 0; x < image.getWidth(); x++) {
      for (int y = 0; y < image.getHeight(); y++) {
        bars += (image.getRGB(x, y) & 0xffffff) == 0x1f5fbf ? 1 : 0;
      }
    }
    assertThat(bars).isPositive();
  }

  @Test
  void whatIsNotThereIsSaid() {
    expectFailure(muond("inspect", server, "--model=none"), List.of("none"));
    expectFailure(
        muond("inspect", server, "--model=inspected", "--parameters=c"), List.of("\"c\""));
    expectFailure(
        muond("inspect", server, "--model=inspected", "--png=" + file("no/such")),
        List.of("--png"));
  }

  @Test
  void aWholeModelIsBenched() throws IOException {
    Path tree =
        Files.writeString(
            file("gpt.json"),
            """
            {"sequence": [{"gpt": {"vocabulary": 65, "width": 128, "blocks": 3}},
                          {"bias": {"name": "bias", "size": 65}}]}
            """);
    JsonObject json =
        json(muond("bench", "step", server, "--model=" + tree, "--repeats=1", "--json"));
    assertThat(json.get("parameters").getAsInt()).isEqualTo(21);
    JsonArray rules = json.getAsJsonArray("rules");
    // The CPU steps one batch after the other, all of them within the step that was timed.
    double sum = 0;
    for (JsonElement rule : rules) {
      double seconds = rule.getAsJsonObject().get("seconds").getAsDouble();
      assertThat(seconds).isPositive();
      sum += seconds;
    }
    assertThat(sum).isLessThanOrEqualTo(json.get("seconds").getAsDouble());
    assertThat(rules).hasSize(3);
    JsonObject stiefel = rules.get(1).getAsJsonObject();
    assertThat(stiefel.get("manifold").getAsString()).isEqualTo("stiefel");
    assertThat(stiefel.get("solver").getAsString()).isEqualTo("exact");
    assertThat(stiefel.get("parameters").getAsInt()).isEqualTo(19);
    // v, q, k and o of all blocks; up; down; head.
    assertThat(stiefel.get("batches").getAsInt()).isEqualTo(4);
    assertThat(stiefel.get("floating_point_operations").getAsDouble()).isPositive();
    assertThat(rules.get(2).getAsJsonObject().get("norm").getAsString()).isEqualTo("adamw");
    String table =
        muond("bench", "step", server, "--model=" + tree, "--repeats=1").succeeded().out();
    assertThat(table).contains("oblique", "largest-row", "stiefel", "exact", "adamw");
    expectFailure(
        muond("bench", "step", server, "--model=" + file("none.json")), List.of("none.json"));
  }
}
