package io.muond.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.muond.client.MuondClient;
import io.muond.v1.Checkpoint;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code muond checkpoint list}. */
@Command(name = "list", description = "Lists checkpoints, newest first.")
final class CheckpointListCommand extends ServerCommand {
  @Option(
      names = "--model",
      defaultValue = "",
      paramLabel = "NAME",
      description = "Of this model. Default: of all.")
  private String model;

  @Override
  void run(MuondClient client) {
    List<Checkpoint> checkpoints = client.listCheckpoints(model);
    if (json()) {
      JsonArray array = new JsonArray();
      checkpoints.forEach(checkpoint -> array.add(Json.checkpoint(checkpoint)));
      JsonObject json = new JsonObject();
      json.add("checkpoints", array);
      console().out().println(Json.text(json));
      return;
    }
    Table table = new Table("checkpoint", "model", "step", "bytes", "written");
    for (Checkpoint checkpoint : checkpoints) {
      table.row(
          checkpoint.getCheckpoint(),
          checkpoint.getModel(),
          checkpoint.getStep(),
          checkpoint.getSizeBytes(),
          Json.instant(checkpoint.getCreateTime()));
    }
    console().out().print(table);
  }
}
