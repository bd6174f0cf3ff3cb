package io.muond.server.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.muond.server.checkpoint.CheckpointException.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class CheckpointCorruptionTest {
  @TempDir Path data;
  private CheckpointStore store;
  private CheckpointInfo older;
  private CheckpointInfo newer;

  private final Tensors weights = Tensors.random(3, 1000, 3);
  private final Tensors state = Tensors.random(4, 17);

  @BeforeEach
  void saveTwo() throws IOException {
    store = new CheckpointStore(data);
    older = store.save("m", Tensors.meta(1, "a"), weights.sources(), state.sources());
    newer = store.save("m", Tensors.meta(2, "a"), weights.sources(), state.sources());
  }

  @AfterEach
  void close() throws IOException {
    store.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"weights.safetensors", "state.safetensors", "manifest.json"})
  void aFlippedBitIsFoundWhereverItIs(String name) throws IOException {
    Path file = file(name);
    long size = Files.size(file);
    for (long position = 0; position < size; position += 1 + size / 97) {
      flip(file, position);
      assertCorrupt(file);
      flip(file, position);
    }
    store.load("m", newer.id(), weights.empty(), state.empty());
    flip(file, size - 1);
    assertCorrupt(file);
  }

  @ParameterizedTest
  @ValueSource(strings = {"weights.safetensors", "state.safetensors", "manifest.json"})
  void aTruncatedFileIsFound(String name) throws IOException {
    try (FileChannel channel = FileChannel.open(file(name), StandardOpenOption.WRITE)) {
      channel.truncate(channel.size() - 1);
      assertCorrupt(file(name));
      channel.truncate(0);
      assertCorrupt(file(name));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"weights.safetensors", "state.safetensors"})
  void aMissingFileIsFound(String name) throws IOException {
    Files.delete(file(name));
    assertCorrupt(file(name));
  }

  @Test
  void withoutItsManifestACheckpointDoesNotExist() throws IOException {
    Files.delete(file("manifest.json"));
    CheckpointException e =
        catchThrowableOfType(
            CheckpointException.class,
            () -> store.load("m", newer.id(), weights.empty(), state.empty()));
    assertThat(e.kind()).isEqualTo(Kind.NOT_FOUND);
    assertThat(store.list("m")).containsExactly(older);
    assertThat(newestIntact()).contains(older);
  }

  @Test
  void aDirectoryOfAnotherNameIsCorrupt() throws IOException {
    Path other = file(".").normalize().resolveSibling("000000000007-b");
    Files.move(file(".").normalize(), other);
    CheckpointException e =
        catchThrowableOfType(CheckpointException.class, () -> store.meta("m", "000000000007-b"));
    assertThat(e.kind()).isEqualTo(Kind.CORRUPT);
    assertThat(e).hasMessageContaining("belongs to checkpoint 000000000002-a");
  }

  @Test
  void savingAgainRepairs() throws IOException {
    flip(file("weights.safetensors"), 200);
    assertThat(store.save("m", Tensors.meta(2, "a"), weights.sources(), state.sources()).id())
        .isEqualTo(newer.id());
    Tensors loaded = weights.empty();
    store.load("m", newer.id(), loaded, state.empty());
    assertThat(loaded).isEqualTo(weights);
  }

  @Test
  void corruptCheckpointsStayForRepair() throws IOException {
    flip(file("manifest.json"), 30);
    store.close();
    store = new CheckpointStore(data);
    assertThat(store.list("m")).containsExactly(older);
    flip(file("manifest.json"), 30);
    assertThat(newestIntact()).contains(newer);
    store.delete("m", newer.id());
    store.delete("m", older.id());
    assertThat(newestIntact()).isEmpty();
  }

  @Test
  void everyBitOfTheManifestCounts() throws IOException {
    byte[] manifest = Files.readAllBytes(file("manifest.json"));
    assertThat(ManifestJson.parse(manifest).meta()).isEqualTo(Tensors.meta(2, "a"));
    for (int bit = 0; bit < 8 * manifest.length; bit++) {
      byte[] changed = manifest.clone();
      changed[bit / 8] ^= (byte) (1 << bit % 8);
      assertThatThrownBy(() -> ManifestJson.parse(changed)).isInstanceOf(IOException.class);
    }
    for (int length = 0; length < manifest.length; length++) {
      byte[] cut = Arrays.copyOf(manifest, length);
      assertThatThrownBy(() -> ManifestJson.parse(cut)).isInstanceOf(IOException.class);
    }
  }

  private void assertCorrupt(Path file) throws IOException {
    CheckpointException e =
        catchThrowableOfType(
            CheckpointException.class,
            () -> store.load("m", newer.id(), this::refuse, this::refuse));
    assertThat(e.kind()).isEqualTo(Kind.CORRUPT);
    assertThat(e.file()).isEqualTo(file.toString());
    assertThat(e).hasMessageStartingWith(file.toString());
    assertThat(newestIntact()).contains(older);
  }

  private Optional<CheckpointInfo> newestIntact() throws IOException {
    for (CheckpointInfo checkpoint : store.list("m")) {
      if (store.isIntact("m", checkpoint.id())) {
        return Optional.of(checkpoint);
      }
    }
    return Optional.empty();
  }

  private void refuse(String name, long floatIndex, ByteBuffer from) {
    throw new AssertionError(name + " of a corrupt checkpoint was handed over");
  }

  private Path file(String name) {
    return data.resolve("models/m/checkpoints").resolve(newer.id()).resolve(name);
  }

  private static void flip(Path file, long position) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer one = ByteBuffer.allocate(1);
      channel.read(one, position);
      one.put(0, (byte) (one.get(0) ^ 0x10));
      channel.write(one.rewind(), position);
    }
  }
}
