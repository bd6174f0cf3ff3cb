package io.muond.server;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Tells whoever started the server where it serves. */
final class ReadyFile {
  private ReadyFile() {}

  /** Writes {@code file}, all of it or nothing. */
  static void write(Path file, String grpc, String http, String engine) throws IOException {
    JsonObject json = new JsonObject();
    json.addProperty("grpc", grpc);
    json.addProperty("http", http);
    json.addProperty("engine", engine);
    Path target = file.toAbsolutePath();
    Path temporary = target.resolveSibling(target.getFileName() + ".tmp");
    Files.writeString(temporary, json + "\n");
    Files.move(
        temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
