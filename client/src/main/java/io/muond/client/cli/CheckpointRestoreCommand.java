package io.muond.client.cli;

import io.muond.client.MuondClient;
import io.muond.v1.Model;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code muond checkpoint restore}. */
@Command(name = "restore", description = "Puts a model back to a checkpoint.")
final class CheckpointRestoreCommand extends ServerCommand {
  @Mixin private ModelOption model = new ModelOption();

  @Option(
      names = "--checkpoint",
      defaultValue = "",
      paramLabel = "ID",
      description = "The checkpoint. Default: the newest intact one.")
  private String checkpoint;

  @Override
  void run(MuondClient client) {
    Model restored = client.restoreCheckpoint(model.name(), checkpoint);
    if (json()) {
      console().out().println(Json.text(Json.model(restored)));
    } else {
      console()
          .out()
          .printf(
              Locale.ROOT,
              "restored %s to step %d, incarnation %s%n",
              restored.getName(),
              restored.getCommittedStep(),
              restored.getIncarnation());
    }
  }
}
