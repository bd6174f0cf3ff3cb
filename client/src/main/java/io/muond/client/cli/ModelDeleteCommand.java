package io.muond.client.cli;

import com.google.gson.JsonObject;
import io.muond.client.MuondClient;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code muond model delete}. */
@Command(name = "delete", description = "Deletes a model and its checkpoints.")
final class ModelDeleteCommand extends ServerCommand {
  @Mixin private ModelName model = new ModelName();

  @Option(names = "--keep-checkpoints", description = "Keep the model's checkpoints.")
  private boolean keepCheckpoints;

  @Override
  void check() {
    model.get();
  }

  @Override
  void run(MuondClient client) {
    String name = model.get();
    long freed = client.deleteModel(name, keepCheckpoints).getFreedBytes();
    if (json()) {
      JsonObject json = new JsonObject();
      json.addProperty("model", name);
      json.addProperty("freed_bytes", freed);
      console().out().println(Json.text(json));
    } else {
      console().out().printf(Locale.ROOT, "deleted %s, %d bytes freed%n", name, freed);
    }
  }
}
