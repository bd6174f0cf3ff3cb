package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A server, by its jar. */
final class ServerProcess implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Process process;
  private final JsonObject addresses;

  /**
   * Starts it on the CPU and waits until it serves.
   *
   * @param directory for its files
   * @param httpPort 0 for any
   */
  ServerProcess(Path directory, int httpPort, String... flags) throws Exception {
    Path ready = Files.createTempDirectory(directory, "server").resolve("ready.json");
    Path stderr = ready.resolveSibling("stderr");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx512m", "-jar", "../server/target/muond-server.jar"));
    command.addAll(List.of("--engine=cpu", "--threads=1", "--memory=256MiB", "--port=0"));
    command.addAll(List.of("--http-port=" + httpPort, "--ready-file=" + ready));
    command.addAll(List.of(flags));
    process =
        new ProcessBuilder(command)
            .redirectError(stderr.toFile())
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    Tools.await("ready", () -> isReady(ready, stderr), there -> there);
    addresses = JsonParser.parseString(Files.readString(ready)).getAsJsonObject();
  }

  private boolean isReady(Path ready, Path stderr) throws IOException {
    assertThat(process.isAlive()).as("alive, having said %s", Files.readString(stderr)).isTrue();
    return Files.exists(ready);
  }

  /** Where its gRPC services are. */
  String grpc() {
    return addresses.get("grpc").getAsString();
  }

  /** Where its HTTP port is. */
  String http() {
    return addresses.get("http").getAsString();
  }

  int httpPort() {
    return Integer.parseInt(http().substring(http().lastIndexOf(':') + 1));
  }

  long pid() {
    return process.pid();
  }

  /** SIGKILL. */
  @Override
  public void close() throws IOException {
    Buildah.exit(process.destroyForcibly(), PATIENCE);
  }
}
