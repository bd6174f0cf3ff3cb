package io.muond.client.cli;

import com.google.gson.JsonObject;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.StepOptions;
import io.muond.v1.ReportDetail;
import io.muond.v1.StepReport;
import io.muond.v1.WrittenParameter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code muond step}: weights and gradients from files, stepped on the server. */
@Command(
    name = "step",
    description = {
      "Applies steps to the weights in a safetensors file, with the same gradients for each.",
      "Without --model it works on a leased model, which it deletes at the end."
    })
final class StepCommand extends ServerCommand {
  @Option(
      names = "--weights",
      required = true,
      paramLabel = "W.safetensors",
      description = {
        "The weights: each tensor becomes a parameter.",
        "When they are sent, says how far they were from their manifolds."
      })
  private Path weights;

  @Option(
      names = "--gradients",
      required = true,
      paramLabel = "G.safetensors",
      description = "The gradients: a tensor of the same name and shape for each weight.")
  private Path gradients;

  @Option(
      names = "--learning-rate",
      paramLabel = "RATE",
      description = {
        "How far a weight of radius 1 moves in its norm.",
        "Default: as the schedule of the model that --model names says."
      })
  private Double learningRate;

  @Option(names = "--steps", paramLabel = "N", description = "How many steps. Default: 1.")
  private Long steps;

  @Option(
      names = "--until-step",
      paramLabel = "K",
      description = "Step until the model has committed step K.")
  private Long untilStep;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      description = {
        "Create this model, or continue it if it exists, and keep it.",
        "A model that exists keeps its weights, and its settings: others are refused."
      })
  private String model;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "W2.safetensors",
      description = "Where the new weights go, as float32.")
  private Path out;

  @Option(
      names = "--report",
      paramLabel = "R.json",
      description = "Where a report of every step goes. Has optima computed, which takes long.")
  private Path report;

  @Mixin private ModelArguments arguments = new ModelArguments();

  /** The file whose tensors are being sent. */
  private Path sent;

  private List<String> tensors = List.of();

  @Override
  void check() {
    arguments.check();
    OutputFile.check("--out", out);
    if (report != null) {
      OutputFile.check("--report", report);
    }
    if (steps != null && untilStep != null) {
      throw new IllegalArgumentException(
          "--until-step: %d (expected: not together with --steps)".formatted(untilStep));
    }
    if (learningRate == null && model == null) {
      throw new IllegalArgumentException(
          "--learning-rate: none (expected: a finite number >= 0, or --model with the name of a"
              + " model that has a schedule)");
    }
    if (learningRate != null && (!(learningRate >= 0) || Double.isInfinite(learningRate))) {
      throw new IllegalArgumentException(
          "--learning-rate: %s (expected: a finite number >= 0)".formatted(learningRate));
    }
    requirePositive("--steps", steps);
    requirePositive("--until-step", untilStep);
  }

  private static void requirePositive(String option, Long value) {
    if (value != null && value < 1) {
      throw new IllegalArgumentException("%s: %d (expected: >= 1)".formatted(option, value));
    }
  }

  @Override
  void run(MuondClient client) throws IOException {
    try (TensorFile from = TensorFile.open(weights);
        TensorFile by = TensorFile.open(gradients)) {
      Matching.require(from, by);
      sent = weights;
      tensors = List.copyOf(from.tensors().keySet());
      StepModels models = new StepModels(client, arguments, from, console());
      if (model == null) {
        LeasedModel.use(
            client,
            models::createLeased,
            console(),
            handle -> {
              models.upload(handle);
              return step(handle, by, models);
            });
      } else {
        try (ModelHandle handle =
            learningRate == null ? models.openScheduled(model) : models.openOrCreate(model)) {
          step(handle, by, models);
        }
      }
    }
  }

  @Override
  String explain(MuondException failure) {
    String message = super.explain(failure);
    String parameter = "parameter ";
    return sent != null && message.startsWith(parameter + '"')
        ? sent + ": tensor " + message.substring(parameter.length())
        : message;
  }

  @Override
  String parameter(int index) {
    return index < tensors.size()
        ? "%s: tensor \"%s\"".formatted(weights, tensors.get(index))
        : super.parameter(index);
  }

  /** The last step. */
  private long step(ModelHandle handle, TensorFile by, StepModels models) throws IOException {
    sent = gradients;
    long target =
        untilStep != null
            ? untilStep
            : Math.addExact(handle.nextStep() - 1, steps == null ? 1 : steps);
    ReportDetail detail =
        report == null ? ReportDetail.REPORT_DETAIL_RESIDUALS : ReportDetail.REPORT_DETAIL_OPTIMUM;
    StepOptions options =
        (learningRate == null ? StepOptions.scheduled() : StepOptions.learningRate(learningRate))
            .withReportDetail(detail);
    Collection<StepReport> reports =
        new StepLoop(handle, by.tensors(), options, report != null, console()).run(target);
    WeightsFile.write(handle, out, console());
    if (report != null) {
      ReportFile.write(report, reports);
    }
    summarize(handle.nextStep() - 1, models.written());
    return handle.nextStep() - 1;
  }

  private void summarize(long step, List<WrittenParameter> written) {
    if (json()) {
      JsonObject summary = new JsonObject();
      summary.addProperty("model", model);
      summary.addProperty("step", step);
      summary.addProperty("out", out.toString());
      JsonObject distances = new JsonObject();
      written.forEach(w -> distances.add(w.getName(), Json.number(w.getDistance())));
      summary.add("distances", distances);
      console().out().println(Json.text(summary));
      return;
    }
    written.stream()
        .max(Comparator.comparingDouble(WrittenParameter::getDistance))
        .ifPresent(
            furthest ->
                console()
                    .out()
                    .printf(
                        Locale.ROOT,
                        "weights put on their manifolds, moved by up to %.4g (%s)%n",
                        furthest.getDistance(),
                        furthest.getName()));
    console().out().printf(Locale.ROOT, "step %d, weights in %s%n", step, out);
  }
}
