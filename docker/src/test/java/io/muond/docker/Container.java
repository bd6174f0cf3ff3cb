package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * A server out of an image, as an orchestrator would run it: its entry point, user and environment,
 * and nothing to write to but its volume. In a chroot that means: each directory that its user may
 * write to is covered by an empty read-only one. Its network is this machine's.
 */
final class Container {
  /** Where {@code exchange} is inside. */
  static final String EXCHANGE = "/mnt";

  private static final List<String> COVERED =
      List.of("/nonexistent", "/run/lock", "/tmp", "/var/cache/muond", "/var/tmp");

  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Buildah buildah;
  private final String name;
  private final List<String> entryPoint;
  private final List<String> healthCheck;
  private final Path empty;
  private final Path exchange;
  private final int port = freePort();
  private final int httpPort = freePort();
  private Process server;
  private Path stderr;

  /**
   * Makes it, without starting anything.
   *
   * @param exchange for files to come and go
   */
  Container(Buildah buildah, String image, Path exchange) throws IOException {
    this.buildah = buildah;
    this.exchange = exchange;
    this.name = buildah.from(image);
    JsonObject configuration = Images.configuration(buildah, image);
    entryPoint = strings(configuration, "Entrypoint");
    List<String> check = strings(configuration.getAsJsonObject("Healthcheck"), "Test");
    assertThat(check.get(0)).isEqualTo("CMD");
    healthCheck = check.subList(1, check.size());
    empty = Files.createDirectories(exchange.resolve("empty"));
  }

  private static List<String> strings(JsonObject json, String key) {
    return List.of(new Gson().fromJson(json.get(key), String[].class));
  }

  private static int freePort() {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private List<String> command(List<String> environment, List<String> command) {
    List<String> arguments = new ArrayList<>(List.of("--isolation=chroot"));
    COVERED.forEach(path -> arguments.addAll(List.of("--volume", empty + ":" + path + ":ro")));
    arguments.addAll(List.of("--volume", exchange + ":" + EXCHANGE));
    for (String variable : List.of("MUOND_PORT=" + port, "MUOND_HTTP_PORT=" + httpPort)) {
      arguments.addAll(List.of("--env", variable));
    }
    environment.forEach(variable -> arguments.addAll(List.of("--env", variable)));
    arguments.addAll(List.of(name, "--"));
    arguments.addAll(command);
    return buildah.command("run", arguments);
  }

  /** Runs a command in it to its end. */
  Buildah.Outcome run(String... command) throws IOException {
    return buildah.execute(command(List.of(), List.of(command)));
  }

  /** Runs the command line in it, with this server. */
  Buildah.Outcome muond(String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of("muond"));
    command.addAll(List.of(arguments));
    command.add("--server=127.0.0.1:" + port);
    return run(command.toArray(String[]::new));
  }

  private List<String> serverCommand(List<String> environment, String... flags) {
    List<String> command = new ArrayList<>(entryPoint);
    command.addAll(List.of(flags));
    return command(environment, command);
  }

  /** Runs a server that does not start. */
  Buildah.Outcome fail(List<String> environment, String... flags) throws IOException {
    return buildah.execute(serverCommand(environment, flags));
  }

  /** Starts the server and waits until it is healthy. */
  void start(List<String> environment, String... flags) throws IOException {
    stderr = Files.createTempFile(exchange, "server", ".err");
    server =
        new ProcessBuilder(serverCommand(environment, flags))
            .redirectError(stderr.toFile())
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!isHealthy()) {
      assertThat(server.isAlive()).as("alive, having said %s", said()).isTrue();
      assertThat(System.nanoTime()).as("%s", said()).isLessThan(deadline);
      LockSupport.parkNanos(Duration.ofMillis(100).toNanos());
    }
  }

  /** What the image's health check says. */
  boolean isHealthy() throws IOException {
    return run(healthCheck.toArray(String[]::new)).status() == 0;
  }

  /** What the server said. */
  List<String> said() throws IOException {
    return Buildah.lines(stderr);
  }

  /** The process of the server itself. */
  ProcessHandle process() {
    return server
        .descendants()
        .filter(process -> process.info().command().orElse("").endsWith("/bin/java"))
        .findFirst()
        .orElseThrow();
  }

  /** Sends SIGTERM to the server and returns its exit status. */
  int stop() throws IOException {
    process().destroy();
    return Buildah.exit(server, PATIENCE);
  }

  /** The image's files. */
  Path mount() throws IOException {
    return Path.of(buildah.run("mount", name).succeeded().out().get(0));
  }

  /** Ends the server, if it runs. */
  void kill() throws IOException {
    if (server != null) {
      server.descendants().forEach(ProcessHandle::destroyForcibly);
      Buildah.exit(server.destroyForcibly(), PATIENCE);
    }
  }
}
