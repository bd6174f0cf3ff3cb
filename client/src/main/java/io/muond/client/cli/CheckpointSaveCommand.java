package io.muond.client.cli;

import io.muond.client.MuondClient;
import io.muond.v1.Checkpoint;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code muond checkpoint save}. */
@Command(name = "save", description = "Writes a checkpoint of a model's last step.")
final class CheckpointSaveCommand extends ServerCommand {
  @Mixin private ModelOption model = new ModelOption();

  @Override
  void run(MuondClient client) {
    Checkpoint checkpoint = client.saveCheckpoint(model.name());
    if (json()) {
      console().out().println(Json.text(Json.checkpoint(checkpoint)));
    } else {
      console()
          .out()
          .printf(
              Locale.ROOT,
              "saved %s of %s at step %d, %d bytes%n",
              checkpoint.getCheckpoint(),
              checkpoint.getModel(),
              checkpoint.getStep(),
              checkpoint.getSizeBytes());
    }
  }
}
