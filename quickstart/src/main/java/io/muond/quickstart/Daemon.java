package io.muond.quickstart;

import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A server in a process of its own, on ports of the system's choice, in a temporary directory. The
 * process belongs to this object: {@link #stop} ends it in order, {@link #close} in any case.
 */
public final class Daemon implements AutoCloseable {
  private static final long POLL_MILLIS = 20;

  /** How many of its last lines a failure shows. */
  private static final int LOG_TAIL = 20;

  private final Path directory;
  private final Process process;
  private final Thread reaper;
  private String address = "";

  private Daemon(Path directory, Process process) {
    this.directory = directory;
    this.process = process;
    this.reaper = new Thread(process::destroy, "daemon-reaper");
    Runtime.getRuntime().addShutdownHook(reaper);
  }

  /** Starts the server on the CPU engine and waits until it serves. */
  public static Daemon start(Path jar, Duration patience) throws IOException, InterruptedException {
    return start(jar, "cpu", patience);
  }

  /**
   * Starts the server and waits until it serves.
   *
   * @param engine cpu or cuda
   * @throws IOException if it ends early, or does not serve in time; the message has its last lines
   */
  public static Daemon start(Path jar, String engine, Duration patience)
      throws IOException, InterruptedException {
    if (!Files.isRegularFile(jar)) {
      throw new IOException("%s: no such file (expected: the server's jar)".formatted(jar));
    }
    Path directory = Files.createTempDirectory("muond-quickstart-");
    Daemon daemon;
    try {
      daemon = new Daemon(directory, launch(jar, engine, directory));
    } catch (IOException e) {
      deleteAll(directory);
      throw e;
    }
    try {
      daemon.awaitReady(patience);
    } catch (IOException | InterruptedException | RuntimeException e) {
      daemon.close();
      throw e;
    }
    return daemon;
  }

  private static Process launch(Path jar, String engine, Path directory) throws IOException {
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-jar",
            jar.toAbsolutePath().toString(),
            "--port=0",
            "--http-port=0",
            "--engine=" + engine,
            "--ready-file=" + ready(directory));
    return new ProcessBuilder(command)
        .directory(directory.toFile())
        .redirectErrorStream(true)
        .redirectOutput(log(directory).toFile())
        .start();
  }

  private void awaitReady(Duration patience) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + patience.toNanos();
    while (!Files.exists(ready(directory))) {
      if (process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        throw failure("the server ended with status " + process.exitValue());
      }
      if (System.nanoTime() - deadline > 0) {
        throw failure("the server did not serve within %d s".formatted(patience.toSeconds()));
      }
    }
    address =
        JsonParser.parseString(Files.readString(ready(directory)))
            .getAsJsonObject()
            .get("grpc")
            .getAsString();
  }

  /** Where it serves gRPC: HOST:PORT. */
  public String address() {
    return address;
  }

  /** The number of its process. */
  public long pid() {
    return process.pid();
  }

  /**
   * Asks the server to end (SIGTERM) and waits for it.
   *
   * @throws IOException if it does not end in time, or not with status 0
   */
  public void stop(Duration patience) throws IOException, InterruptedException {
    process.destroy();
    if (!process.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS)) {
      throw failure("the server did not end within %d s".formatted(patience.toSeconds()));
    }
    if (process.exitValue() != 0) {
      throw failure("the server ended with status " + process.exitValue());
    }
  }

  /** Kills the server if it still runs, and removes its directory. */
  @Override
  public void close() {
    process.destroyForcibly().onExit().join();
    try {
      Runtime.getRuntime().removeShutdownHook(reaper);
    } catch (IllegalStateException e) {
      // This JVM is going down already; the hook found nothing left to end.
    }
    deleteAll(directory);
  }

  /** What the server has printed so far. */
  List<String> printed() throws IOException {
    return Files.readAllLines(log(directory), StandardCharsets.UTF_8);
  }

  private IOException failure(String what) throws IOException {
    List<String> lines = printed();
    List<String> tail = lines.subList(Math.max(0, lines.size() - LOG_TAIL), lines.size());
    return new IOException(what + "; its last lines:\n" + String.join("\n", tail));
  }

  private static Path ready(Path directory) {
    return directory.resolve("ready.json");
  }

  private static Path log(Path directory) {
    return directory.resolve("server.log");
  }

  private static void deleteAll(Path directory) {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
