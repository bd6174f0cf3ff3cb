package io.muond.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.muond.client.MuondClient;
import io.muond.v1.Device;
import io.muond.v1.GetServerInfoResponse;
import io.muond.v1.Model;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;

/** {@code muond status}: the server, its devices, how many models it holds. */
@Command(name = "status", description = "Shows the server, its engine and its devices.")
final class StatusCommand extends ServerCommand {
  @Override
  void run(MuondClient client) {
    GetServerInfoResponse info = client.serverInfo();
    List<Model> models = client.listModels();
    if (json()) {
      console().out().println(Json.text(json(client.target(), info, models)));
      return;
    }
    console()
        .out()
        .printf(
            Locale.ROOT,
            "muond %s at %s, engine %s, %d models, %s%n",
            info.getVersion(),
            client.target(),
            info.getEngine(),
            models.size(),
            info.getHasDataDirectory() ? "with a data directory" : "without a data directory");
    Table table = new Table("device", "memory MB", "available MB");
    for (Device device : info.getDevicesList()) {
      table.row(
          device.getLoss().isEmpty()
              ? device.getOrdinal() + ": " + device.getName()
              : device.getLoss(),
          device.getMemoryBytes() / 1_000_000,
          device.getAvailableBytes() / 1_000_000);
    }
    console().out().print(table);
  }

  private static JsonObject json(String target, GetServerInfoResponse info, List<Model> models) {
    JsonObject json = new JsonObject();
    json.addProperty("server", target);
    json.addProperty("version", info.getVersion());
    json.addProperty("engine", info.getEngine());
    json.addProperty("has_data_directory", info.getHasDataDirectory());
    json.addProperty("max_message_bytes", info.getMaxMessageBytes());
    json.addProperty("models", models.size());
    JsonArray devices = new JsonArray();
    for (Device device : info.getDevicesList()) {
      JsonObject entry = new JsonObject();
      entry.addProperty("ordinal", device.getOrdinal());
      entry.addProperty("name", device.getName());
      entry.addProperty("memory_bytes", device.getMemoryBytes());
      entry.addProperty("available_bytes", device.getAvailableBytes());
      entry.addProperty("engine_bytes", device.getEngineBytes());
      if (!device.getLoss().isEmpty()) {
        entry.addProperty("loss", device.getLoss());
      }
      devices.add(entry);
    }
    json.add("devices", devices);
    return json;
  }
}
