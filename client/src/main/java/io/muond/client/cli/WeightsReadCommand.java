package io.muond.client.cli;

import com.google.gson.JsonObject;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.v1.WeightsHeader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code muond weights read}. */
@Command(name = "read", description = "Writes a model's weights to a safetensors file.")
final class WeightsReadCommand extends ServerCommand {
  @Mixin private ModelOption model = new ModelOption();

  @Option(names = "--out", required = true, paramLabel = "F", description = "The file to write.")
  private Path out;

  @Override
  void check() throws IOException {
    OutputFile.check("--out", out);
  }

  @Override
  void run(MuondClient client) throws IOException {
    try (ModelHandle handle = client.openModel(model.name())) {
      WeightsHeader header = WeightsFile.write(handle, out, console());
      if (json()) {
        JsonObject json = new JsonObject();
        json.addProperty("model", model.name());
        json.addProperty("step", header.getStep());
        json.addProperty("incarnation", header.getIncarnation());
        json.addProperty("bytes", header.getTotalBytes());
        json.addProperty("out", out.toString());
        console().out().println(Json.text(json));
      } else {
        console()
            .out()
            .printf(
                Locale.ROOT,
                "%s at step %d: %d bytes in %s%n",
                model.name(),
                header.getStep(),
                header.getTotalBytes(),
                out);
      }
    }
  }
}
