package io.muond.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.muond.client.Inspection;
import io.muond.client.MuondClient;
import io.muond.manifold.Words;
import io.muond.v1.LastStep;
import io.muond.v1.ParameterInspection;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code muond inspect}. */
@Command(
    name = "inspect",
    description = {
      "Shows how a model's weights are: singular values or norms, how far each weight is from its",
      "manifold, and what the last step did."
    })
final class InspectCommand extends ServerCommand {
  private static final int BARS = 16;

  @Mixin private ModelOption model = new ModelOption();

  @Option(
      names = "--parameters",
      split = ",",
      paramLabel = "NAME",
      description = "Only these, separated by commas. Default: all.")
  private List<String> parameters = List.of();

  @Option(names = "--png", paramLabel = "F", description = "A picture of the values to write.")
  private Path png;

  @Override
  void check() throws IOException {
    if (png != null) {
      OutputFile.check("--png", png);
    }
  }

  @Override
  void run(MuondClient client) throws IOException {
    Inspection inspection = client.inspect(model.name(), parameters);
    if (png != null) {
      InspectionPicture.write(png, model.name(), inspection);
      InspectionPicture.omission(inspection)
          .ifPresent(words -> console().err().println("muond: " + png + " shows " + words));
    }
    if (json()) {
      console().out().println(Json.text(json(model.name(), inspection)));
    } else {
      print(inspection);
    }
  }

  private void print(Inspection inspection) {
    console()
        .out()
        .printf(Locale.ROOT, "%s at step %d%n", model.name(), inspection.header().getStep());
    Table table =
        new Table(
            "parameter",
            "measure",
            "least",
            "median",
            "most",
            "from least to most",
            "residual",
            "tangency",
            "gradient",
            "update",
            "alignment",
            "budget used");
    for (ParameterInspection parameter : inspection.parameters()) {
      Spread spread = Spread.of(parameter.getValuesList());
      LastStep step = parameter.getLastStep();
      table.row(
          parameter.getName(),
          measure(parameter),
          spread.least(),
          spread.median(),
          spread.most(),
          Histogram.of(parameter.getValuesList(), BARS).text(console().charset()),
          parameter.getResidual(),
          step.hasTangencyRms() ? step.getTangencyRms() : Double.NaN,
          step.hasGradientNorm() ? step.getGradientNorm() : Double.NaN,
          parameter.hasLastStep() ? step.getUpdateNorm() : Double.NaN,
          step.hasAlignment() ? step.getAlignment() : Double.NaN,
          step.hasBudgetUsed() ? percent(step.getBudgetUsed()) : "-");
    }
    console().out().print(table);
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }

  private static String measure(ParameterInspection parameter) {
    return Words.of(parameter.getMeasure()).replace('-', ' ');
  }

  private static JsonObject json(String model, Inspection inspection) {
    JsonObject json = new JsonObject();
    json.addProperty("model", model);
    json.addProperty("incarnation", inspection.header().getIncarnation());
    json.addProperty("step", inspection.header().getStep());
    JsonArray parameters = new JsonArray();
    inspection.parameters().forEach(parameter -> parameters.add(json(parameter)));
    json.add("parameters", parameters);
    return json;
  }

  private static JsonObject json(ParameterInspection parameter) {
    JsonObject json = new JsonObject();
    json.addProperty("name", parameter.getName());
    json.addProperty("measure", measure(parameter).replace(' ', '_'));
    JsonArray values = new JsonArray();
    parameter.getValuesList().forEach(value -> values.add(Json.number(value)));
    json.add("values", values);
    json.addProperty("values_per_matrix", parameter.getValuesPerMatrix());
    json.add("residual", Json.number(parameter.getResidual()));
    if (!parameter.hasLastStep()) {
      json.add("last_step", null);
      return json;
    }
    LastStep step = parameter.getLastStep();
    JsonObject last = new JsonObject();
    last.add("learning_rate", Json.number(step.getLearningRate()));
    last.add("update_norm", Json.number(step.getUpdateNorm()));
    last.addProperty("budget_used", step.hasBudgetUsed() ? step.getBudgetUsed() : null);
    last.addProperty("tangency_rms", step.hasTangencyRms() ? step.getTangencyRms() : null);
    last.add("objective", Json.number(step.getObjective()));
    last.addProperty("gradient_norm", step.hasGradientNorm() ? step.getGradientNorm() : null);
    last.addProperty(
        "gradient_dual_norm", step.hasGradientDualNorm() ? step.getGradientDualNorm() : null);
    last.addProperty("alignment", step.hasAlignment() ? step.getAlignment() : null);
    json.add("last_step", last);
    return json;
  }
}
