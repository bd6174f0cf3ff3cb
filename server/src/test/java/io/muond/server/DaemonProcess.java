package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** The daemon as a process of its own. */
final class DaemonProcess implements AutoCloseable {
  /**
   * The JDK that warns of native libraries; the jar's manifest allows them, a class path cannot.
   */
  private static final int FIRST_TO_WARN = 24;

  private static final String EMULATOR = "muond-emulator: ";

  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Process process;
  private final Path stderr;
  private final Path ready;

  private DaemonProcess(Process process, Path stderr, Path ready) {
    this.process = process;
    this.stderr = stderr;
    this.ready = ready;
  }

  /**
   * Starts the daemon's main class.
   *
   * @param directory for its ready file and what it prints
   */
  static DaemonProcess start(Path directory, String... arguments) throws IOException {
    return start(directory, Map.of(), System.getProperty("java.class.path"), arguments);
  }

  /** The same with more in its environment, or with another class path. */
  static DaemonProcess start(
      Path directory, Map<String, String> environment, String classPath, String... arguments)
      throws IOException {
    return start(directory, List.of(), environment, classPath, arguments);
  }

  /**
   * The same, started by another command.
   *
   * @param prefix which runs the rest of its command line
   */
  static DaemonProcess start(
      Path directory,
      List<String> prefix,
      Map<String, String> environment,
      String classPath,
      String... arguments)
      throws IOException {
    Path ready = Files.createTempDirectory(directory, "daemon").resolve("ready.json");
    Path stderr = ready.resolveSibling("stderr");
    List<String> command = new ArrayList<>(prefix);
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    if (Runtime.version().feature() >= FIRST_TO_WARN) {
      command.add("--enable-native-access=ALL-UNNAMED");
    }
    command.addAll(List.of("-cp", classPath));
    command.addAll(List.of("io.muond.server.Main", "--ready-file=" + ready));
    command.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectError(stderr.toFile())
            .redirectOutput(ready.resolveSibling("stdout").toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    return new DaemonProcess(process, stderr, ready);
  }

  /** Starts it on free ports and waits until it serves. */
  static DaemonProcess serve(Path directory, String... arguments) throws IOException {
    List<String> all = new ArrayList<>(List.of("--port=0", "--http-port=0"));
    all.addAll(List.of(arguments));
    DaemonProcess daemon = start(directory, all.toArray(String[]::new));
    daemon.addresses();
    return daemon;
  }

  /** What the ready file says, once it is there. */
  JsonObject addresses() throws IOException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!Files.exists(ready)) {
      assertThat(process.isAlive()).as("alive, having printed: %s", stderr()).isTrue();
      assertThat(System.nanoTime()).as(stderr()).isLessThan(deadline);
      LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
    }
    return JsonParser.parseString(Files.readString(ready)).getAsJsonObject();
  }

  /** Where its gRPC services are. */
  String grpc() throws IOException {
    return addresses().get("grpc").getAsString();
  }

  String stderr() throws IOException {
    return Files.readString(stderr);
  }

  /** What the daemon said there, without what an emulated device did. */
  List<String> said() throws IOException {
    return stderr().lines().filter(line -> !line.startsWith(EMULATOR)).toList();
  }

  /** Broken rules, leaks: what an emulated device said. */
  List<String> emulatorSaid() throws IOException {
    return stderr().lines().filter(line -> line.startsWith(EMULATOR)).toList();
  }

  /** SIGTERM, or another signal, without waiting. */
  void signal(String name) throws IOException, InterruptedException {
    assertThat(trySignal(name)).isTrue();
  }

  /** The same to a process that may have ended. */
  boolean trySignal(String name) throws IOException, InterruptedException {
    return new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor()
        == 0;
  }

  /** SIGTERM. */
  int terminate() throws InterruptedException {
    process.destroy();
    return exit();
  }

  /** SIGKILL. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    exit();
  }

  /** Waits for the end. */
  int exit() throws InterruptedException {
    assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).as("ended").isTrue();
    return process.exitValue();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
