package io.muond.client.cli;

import io.muond.client.MuondClient;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import java.util.Locale;
import java.util.TreeMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code muond model get}. */
@Command(name = "get", description = "Describes a model.")
final class ModelGetCommand extends ServerCommand {
  @Mixin private ModelName name = new ModelName();

  @Override
  void check() {
    name.get();
  }

  @Override
  void run(MuondClient client) {
    Model model = client.getModel(name.get());
    if (json()) {
      console().out().println(Json.text(Json.model(model)));
      return;
    }
    console()
        .out()
        .printf(
            Locale.ROOT,
            "%s, incarnation %s, step %d, %s, %d bytes%n",
            model.getName(),
            model.getIncarnation(),
            model.getCommittedStep(),
            model.getReady() ? "ready" : "awaiting weights",
            model.getMemory().getTotalBytes());
    console().out().println("checkpoints: " + DurabilityWords.of(model.getDurability()));
    if (model.getOverlapSteps()) {
      console().out().println("steps: may overlap");
    }
    if (model.hasSchedule()) {
      console().out().println("schedule: " + ScheduleConverter.text(model.getSchedule()));
    }
    new TreeMap<>(model.getGroupSchedulesMap())
        .forEach(
            (group, schedule) ->
                console()
                    .out()
                    .println("schedule of " + group + ": " + ScheduleConverter.text(schedule)));
    Table table = new Table("parameter", "shape", "manifold", "norm", "radius", "group", "rule");
    for (Parameter parameter : model.getParametersList()) {
      for (Parameter piece : Pieces.of(parameter)) {
        table.row(
            piece.getName(),
            piece.getShapeList(),
            Choices.MANIFOLD.name(piece.getManifold()),
            Choices.NORM.name(piece.getNorm()),
            piece.getRadius(),
            piece.getGroup(),
            RuleWords.of(piece));
      }
    }
    console().out().print(table);
  }
}
