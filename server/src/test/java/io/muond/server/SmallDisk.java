package io.muond.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * A file system of its own for a daemon, which can be filled: in memory, mounted where only a
 * process that keeps it, and those that join that, see it. Needs no privileges but to make
 * namespaces.
 */
final class SmallDisk implements AutoCloseable {
  private final Process keeper;
  private final Path path;
  private final List<String> enter;

  /**
   * @param path of an empty directory, where the disk is for those who have entered
   */
  SmallDisk(Path path, int kibibytes) throws IOException {
    this.path = path;
    List<String> command =
        new ArrayList<>(
            isRoot()
                ? List.of("unshare", "--mount")
                : List.of("unshare", "--user", "--map-root-user", "--mount"));
    command.addAll(
        List.of(
            "sh",
            "-c",
            "mount -t tmpfs -o size=%dk none '%s' && echo mounted && exec sleep 86400"
                .formatted(kibibytes, path)));
    this.keeper =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    BufferedReader said = new BufferedReader(new InputStreamReader(keeper.getInputStream(), UTF_8));
    assertThat(said.readLine())
        .as(
            "a file system in memory, mounted by %s (expected: namespaces that may be made)",
            command)
        .isEqualTo("mounted");
    String target = "--target=" + keeper.pid();
    this.enter =
        isRoot()
            ? List.of("nsenter", target, "--mount", "--")
            : List.of("nsenter", target, "--user", "--preserve-credentials", "--mount", "--");
  }

  private static boolean isRoot() {
    return "root".equals(System.getProperty("user.name"));
  }

  /** What a command line begins with for a process that sees the disk. */
  List<String> enter() {
    return enter;
  }

  /** Where this process sees it. */
  Path seen() {
    return Path.of("/proc/" + keeper.pid() + "/root" + path);
  }

  private Path ballast() {
    return seen().resolve("ballast");
  }

  /** Leaves no more than some bytes free. */
  void fill(int left) throws IOException {
    try (OutputStream out =
        Files.newOutputStream(ballast(), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
      byte[] page = new byte[4_096];
      while (Files.getFileStore(seen()).getUsableSpace() > left) {
        out.write(page);
      }
    } catch (IOException e) {
      // The daemon has taken the last page first: it is full, as was wanted.
      if (Files.getFileStore(seen()).getUsableSpace() > left) {
        throw e;
      }
    }
  }

  /** Gives everything back that {@link #fill} took. */
  void empty() throws IOException {
    Files.deleteIfExists(ballast());
  }

  @Override
  public void close() {
    keeper.destroyForcibly();
  }
}
