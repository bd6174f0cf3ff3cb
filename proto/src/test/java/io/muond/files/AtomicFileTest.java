package io.muond.files;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class AtomicFileTest {
  @TempDir Path directory;

  @Test
  void leavesTheOldFileUntilTheCommit() throws IOException {
    Path path = Files.writeString(directory.resolve("f"), "old");
    try (AtomicFile file = AtomicFile.create(path)) {
      file.write(ByteBuffer.wrap("new".getBytes(UTF_8)));
      assertThat(path).hasContent("old");
      file.commit();
      assertThat(path).hasContent("new");
    }
    assertThat(names()).containsExactly("f");
  }

  @Test
  void removesTheTemporaryFileWithoutACommit() throws IOException {
    Path path = directory.resolve("f");
    try (AtomicFile file = AtomicFile.create(path)) {
      file.write(ByteBuffer.allocate(10));
      assertThat(names()).singleElement().asString().endsWith(AtomicFile.TEMPORARY_SUFFIX);
    }
    assertThat(names()).isEmpty();
  }

  @Test
  void namesTheFileWhoseDirectoryIsMissing() {
    Path path = directory.resolve("none/f");
    assertThatThrownBy(() -> AtomicFile.create(path))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessage(path + ": its directory does not exist");
  }

  @Test
  void createsAndRemovesDirectories() throws IOException {
    Path deep = directory.resolve("a/b/c");
    Directories.create(deep);
    Directories.create(deep);
    Files.writeString(deep.resolve("f"), "x");
    Directories.remove(directory.resolve("a"));
    assertThat(names()).isEmpty();
  }

  @Test
  void refusesADirectoryWhereAFileIs() throws IOException {
    Path file = Files.writeString(directory.resolve("f"), "x");
    assertThatThrownBy(() -> Directories.create(file))
        .isInstanceOf(FileAlreadyExistsException.class);
  }

  private Stream<String> names() throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.map(entry -> entry.getFileName().toString()).toList().stream();
    }
  }
}
