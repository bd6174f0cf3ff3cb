package io.muond.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import io.muond.files.AtomicFile;
import io.muond.v1.ParameterReport;
import io.muond.v1.StepReport;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collection;

/** The JSON file of {@code --report}. */
final class ReportFile {
  private ReportFile() {}

  static void write(Path path, Collection<StepReport> reports) throws IOException {
    JsonArray steps = new JsonArray();
    reports.forEach(report -> steps.add(step(report)));
    JsonObject json = new JsonObject();
    json.add("steps", steps);
    AtomicFile.write(
        path.toAbsolutePath(), (Json.text(json) + "\n").getBytes(StandardCharsets.UTF_8));
  }

  private static JsonObject step(StepReport report) {
    JsonObject json = new JsonObject();
    json.addProperty("step", report.getStep());
    JsonArray parameters = new JsonArray();
    report
        .getParametersList()
        .forEach(parameter -> parameters.add(parameter(parameter, report.getSeconds())));
    json.add("parameters", parameters);
    return json;
  }

  /** {@code seconds} is the whole step's: from staging complete to commit, less the optimum. */
  private static JsonObject parameter(ParameterReport report, double seconds) {
    JsonObject json = new JsonObject();
    json.addProperty("name", report.getName());
    json.add("objective", Json.number(report.getObjective()));
    json.add("optimum", report.hasOptimum() ? Json.number(report.getOptimum()) : JsonNull.INSTANCE);
    json.add(
        "tangency_rms",
        report.hasTangencyRms() ? Json.number(report.getTangencyRms()) : JsonNull.INSTANCE);
    json.add(
        "orthogonality_max",
        report.hasOrthogonalityMax()
            ? Json.number(report.getOrthogonalityMax())
            : JsonNull.INSTANCE);
    json.add("update_norm", Json.number(report.getUpdateNorm()));
    json.addProperty("solver_iterations", report.getSolverIterations());
    json.add("seconds", Json.number(seconds));
    return json;
  }
}
