package io.muond.quickstart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DaemonTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @TempDir private Path directory;

  @Test
  void startsAProcessAndStopsIt() throws Exception {
    try (Daemon daemon = Daemon.start(jar(FakeServer.Obedient.class), PATIENCE)) {
      assertThat(daemon.address()).isEqualTo("127.0.0.1:50051");
      assertThat(ProcessHandle.of(daemon.pid())).isPresent();
      daemon.stop(PATIENCE);
      assertThat(ProcessHandle.of(daemon.pid())).isEmpty();
    }
  }

  @Test
  void closeEndsWhatWasNotStopped() throws Exception {
    Daemon daemon = Daemon.start(jar(FakeServer.Obedient.class), PATIENCE);
    daemon.close();
    assertThat(ProcessHandle.of(daemon.pid())).isEmpty();
  }

  @Test
  void aServerThatEndsEarlyIsQuoted() throws Exception {
    Path jar = jar(FakeServer.Broken.class);
    assertThatThrownBy(() -> Daemon.start(jar, PATIENCE))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("ended with status 1")
        .hasMessageContaining("no engine today");
  }

  @Test
  void aServerThatDoesNotServeIsGivenUp() throws Exception {
    Path jar = jar(FakeServer.Silent.class);
    assertThatThrownBy(() -> Daemon.start(jar, Duration.ofMillis(300)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("did not serve within");
  }

  @Test
  void aServerThatStopsWithAnErrorIsReported() throws Exception {
    try (Daemon daemon = Daemon.start(jar(FakeServer.Stumbling.class), PATIENCE)) {
      assertThatThrownBy(() -> daemon.stop(PATIENCE))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("ended with status 3");
    }
  }

  @Test
  void aMissingJarIsNamed() {
    assertThatThrownBy(() -> Daemon.start(directory.resolve("none.jar"), PATIENCE))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("none.jar: no such file");
  }

  /** A jar whose main class is this one. */
  private Path jar(Class<?> main) throws IOException {
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest.getMainAttributes().put(Attributes.Name.MAIN_CLASS, main.getName());
    Path jar = directory.resolve("server.jar");
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream entries = new JarOutputStream(file, manifest)) {
      for (Class<?> type : new Class<?>[] {FakeServer.class, main}) {
        String name = type.getName().replace('.', '/') + ".class";
        entries.putNextEntry(new JarEntry(name));
        try (InputStream bytes = type.getClassLoader().getResourceAsStream(name)) {
          bytes.transferTo(entries);
        }
      }
    }
    return jar;
  }
}
