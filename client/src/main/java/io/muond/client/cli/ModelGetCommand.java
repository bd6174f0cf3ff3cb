package io.muond.client.cli;

import io.muond.client.MuondClient;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
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
            "%s, incarnation %s, step %d, %s, %d bytes%n",
            model.getName(),
            model.getIncarnation(),
            model.getCommittedStep(),
            model.getReady() ? "ready" : "awaiting weights",
            model.getMemory().getTotalBytes());
    Table table = new Table("parameter", "shape", "manifold", "norm", "radius", "momentum");
    for (Parameter parameter : model.getParametersList()) {
      for (Parameter piece : Pieces.of(parameter)) {
        table.row(
            piece.getName(),
            piece.getShapeList(),
            Choices.MANIFOLD.name(piece.getManifold()),
            Choices.NORM.name(piece.getNorm()),
            piece.getRadius(),
            piece.getRule().getMomentum());
      }
    }
    console().out().print(table);
  }
}
