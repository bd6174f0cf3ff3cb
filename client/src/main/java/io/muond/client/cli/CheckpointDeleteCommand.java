package io.muond.client.cli;

import com.google.gson.JsonObject;
import io.muond.client.MuondClient;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code muond checkpoint delete}. */
@Command(name = "delete", description = "Removes a checkpoint.")
final class CheckpointDeleteCommand extends ServerCommand {
  @Mixin private ModelOption model = new ModelOption();

  @Option(
      names = "--checkpoint",
      required = true,
      paramLabel = "ID",
      description = "The checkpoint.")
  private String checkpoint;

  @Override
  void run(MuondClient client) {
    long freed = client.deleteCheckpoint(model.name(), checkpoint).getFreedBytes();
    if (json()) {
      JsonObject json = new JsonObject();
      json.addProperty("model", model.name());
      json.addProperty("checkpoint", checkpoint);
      json.addProperty("freed_bytes", freed);
      console().out().println(Json.text(json));
    } else {
      console()
          .out()
          .printf(
              Locale.ROOT, "deleted %s of %s, %d bytes freed%n", checkpoint, model.name(), freed);
    }
  }
}
