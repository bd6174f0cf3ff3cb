package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Buildah with images of its own, in {@code directory}. It needs root, but neither user namespaces
 * nor a kernel with overlays.
 */
final class Buildah implements AutoCloseable {
  /** What buildah adds to what a command that failed has said. */
  private static final String EPILOGUE = "subprocess exited with status |Error: exit status ";

  private final Path directory;

  Buildah(Path directory) {
    this.directory = directory.toAbsolutePath();
  }

  /** What a command said, and its exit status. */
  record Outcome(int status, List<String> out, List<String> err) {
    Outcome succeeded() {
      assertThat(status).as("%s %s", out, err).isZero();
      return this;
    }
  }

  /** Why this machine cannot build images, if it cannot. */
  static Optional<String> missing() {
    if (!System.getProperty("os.name").equals("Linux")
        || !System.getProperty("os.arch").equals("amd64")) {
      return Optional.of("only on Linux on x86_64");
    }
    if (!System.getProperty("user.name").equals("root")) {
      return Optional.of("only by root");
    }
    for (String tool : List.of("buildah", "debootstrap")) {
      if (Stream.of(System.getenv("PATH").split(":"))
          .noneMatch(path -> Files.isExecutable(Path.of(path, tool)))) {
        return Optional.of("there is no " + tool);
      }
    }
    return Optional.empty();
  }

  /** A command line of buildah's. */
  List<String> command(String name, List<String> arguments) {
    List<String> command = new ArrayList<>(List.of("buildah", "--storage-driver", "vfs"));
    command.addAll(List.of("--root", directory.resolve("storage").toString()));
    command.addAll(List.of("--runroot", directory.resolve("run").toString()));
    command.add(name);
    command.addAll(arguments);
    return command;
  }

  /** Runs it to its end. */
  Outcome run(String name, String... arguments) throws IOException {
    return execute(command(name, List.of(arguments)));
  }

  /** Runs any command to its end. */
  Outcome execute(List<String> command) throws IOException {
    Path out = Files.createTempFile(directory, "command", ".out");
    Path err = Files.createTempFile(directory, "command", ".err");
    Process process =
        new ProcessBuilder(command)
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    Outcome outcome = new Outcome(exit(process, Duration.ofMinutes(10)), lines(out), lines(err));
    Files.delete(out);
    Files.delete(err);
    return outcome;
  }

  /** Waits for a process's end and returns its exit status. */
  static int exit(Process process, Duration patience) throws IOException {
    try {
      assertThat(process.waitFor(patience.toSeconds(), TimeUnit.SECONDS)).as("ended").isTrue();
      return process.exitValue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("waiting for " + process);
    }
  }

  /** What a command in a container said there, without what buildah said of it. */
  static List<String> lines(Path file) throws IOException {
    return Files.readString(file)
        .lines()
        .filter(line -> !line.matches("(" + EPILOGUE + ").*"))
        .toList();
  }

  /** A container of {@code image}. */
  String from(String image) throws IOException {
    return run("from", "--pull-never", image).succeeded().out().get(0);
  }

  @Override
  public void close() throws IOException {
    run("rm", "--all").succeeded();
    run("rmi", "--all", "--force").succeeded();
    execute(List.of("rm", "-rf", directory.resolve("storage").toString())).succeeded();
  }
}
