package io.muond.modular;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The plans of the library that the composition rules come from. */
final class GoldenPlansTest {
  private static final Offset<Double> EXACT = within(1e-12);

  static List<Named<JsonObject>> plans() throws IOException {
    List<Named<JsonObject>> plans = new ArrayList<>();
    try (Reader text =
        new InputStreamReader(
            GoldenPlansTest.class.getResourceAsStream("/golden/plans.json"), UTF_8)) {
      for (JsonElement plan : JsonParser.parseReader(text).getAsJsonArray()) {
        JsonObject object = plan.getAsJsonObject();
        plans.add(Named.of(object.get("name").getAsString(), object));
      }
    }
    return plans;
  }

  @ParameterizedTest
  @MethodSource("plans")
  void planAgrees(JsonObject golden) {
    Module module = ModuleJson.parse(golden.get("module").toString());
    Plan plan = Planner.plan(module);
    assertThat(plan.getMass()).isCloseTo(golden.get("mass").getAsDouble(), EXACT);
    assertThat(plan.getSensitivity()).isCloseTo(golden.get("sensitivity").getAsDouble(), EXACT);
    List<JsonElement> multipliers =
        golden.get("learning_rate_multipliers").getAsJsonArray().asList();
    List<Parameter> parameters = Planner.parameters(module);
    assertThat(plan.getAtomsList()).hasSameSizeAs(multipliers).hasSameSizeAs(parameters);
    double mass = 0;
    for (int i = 0; i < multipliers.size(); i++) {
      double multiplier = plan.getAtoms(i).getLearningRateMultiplier();
      assertThat(multiplier).isCloseTo(multipliers.get(i).getAsDouble(), EXACT);
      assertThat(parameters.get(i).getLearningRateMultiplier()).isEqualTo(multiplier);
      assertThat(parameters.get(i).getName()).isEqualTo(plan.getAtoms(i).getName());
      mass += plan.getAtoms(i).getMass();
    }
    assertThat(mass).isCloseTo(plan.getMass(), EXACT);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          mlp3 | {"mlp":{"widths":[64,128,64,10]}}
          gpt  | {"gpt":{"vocabulary":65,"width":128,"blocks":3}}
          """)
  void compoundsAreOneLineOfJson(String name, String line) throws IOException {
    JsonObject golden = plan(name);
    Module tree = ModuleJson.parse(golden.get("module").toString());
    Module compound = ModuleJson.parse(line);
    assertThat(ModuleJson.format(compound)).isEqualTo(line);
    assertThat(Compounds.expand(compound, TreePath.ROOT)).isEqualTo(tree);
    assertThat(Planner.plan(compound)).isEqualTo(Planner.plan(tree));
    assertThat(Planner.parameters(compound)).isEqualTo(Planner.parameters(tree));
    golden.add("module", JsonParser.parseString(line));
    planAgrees(golden);
  }

  private static JsonObject plan(String name) throws IOException {
    return plans().stream()
        .filter(plan -> plan.getName().equals(name))
        .findFirst()
        .get()
        .getPayload();
  }

  @ParameterizedTest
  @MethodSource("plans")
  void jsonRoundTrips(JsonObject golden) {
    Module module = ModuleJson.parse(golden.get("module").toString());
    assertThat(ModuleJson.parse(ModuleJson.format(module))).isEqualTo(module);
  }
}
