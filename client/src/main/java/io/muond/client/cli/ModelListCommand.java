package io.muond.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.muond.client.MuondClient;
import io.muond.v1.Model;
import java.util.List;
import picocli.CommandLine.Command;

/** {@code muond model list}. */
@Command(name = "list", description = "Lists the models.")
final class ModelListCommand extends ServerCommand {
  @Override
  void run(MuondClient client) {
    List<Model> models = client.listModels();
    if (json()) {
      JsonArray array = new JsonArray();
      models.forEach(model -> array.add(Json.model(model)));
      JsonObject json = new JsonObject();
      json.add("models", array);
      console().out().println(Json.text(json));
      return;
    }
    Table table = new Table("model", "step", "durable", "parameters", "MB", "ready", "leased");
    for (Model model : models) {
      table.row(
          model.getName(),
          model.getCommittedStep(),
          model.hasDurableStep() ? model.getDurableStep() : "-",
          model.getParametersCount(),
          model.getMemory().getTotalBytes() * 1e-6,
          model.getReady() ? "yes" : "no",
          model.hasLeaseTtl() ? "yes" : "no");
    }
    console().out().print(table);
  }
}
