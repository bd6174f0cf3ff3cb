package io.muond.server.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.ByteString;
import io.muond.safetensors.SafetensorsFile;
import io.muond.safetensors.TensorInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class CheckpointStoreTest {
  @TempDir Path data;
  private CheckpointStore store;

  private final Tensors weights = Tensors.random(1, 5, 300_000, 0);
  private final Tensors state = Tensors.random(2, 7);

  @BeforeEach
  void open() throws IOException {
    store = new CheckpointStore(data);
  }

  @AfterEach
  void close() throws IOException {
    store.close();
  }

  @Test
  void everythingComesBackBitForBit() throws IOException {
    CheckpointMeta meta = Tensors.meta(42, "abc");
    CheckpointInfo saved = store.save("m", meta, weights.sources(), state.sources());
    reopen();
    assertThat(saved.id()).isEqualTo("000000000042-abc");
    assertThat(store.list("m")).containsExactly(saved);
    assertThat(store.meta("m", saved.id())).isEqualTo(meta);
    assertThat(saved.sizeBytes()).isEqualTo(bytesIn(directory("m", saved.id())));
    Tensors loadedWeights = weights.empty();
    Tensors loadedState = state.empty();
    store.load("m", saved.id(), loadedWeights, loadedState);
    assertThat(loadedWeights).isEqualTo(weights);
    assertThat(loadedState).isEqualTo(state);
  }

  @Test
  void weightsAreAPlainSafetensorsFile() throws IOException {
    CheckpointInfo saved = save("m", 1, "a");
    try (SafetensorsFile file =
        SafetensorsFile.open(directory("m", saved.id()).resolve("weights.safetensors"))) {
      assertThat(file.metadata()).containsEntry("format", "pt");
      assertThat(file.tensors())
          .extracting(TensorInfo::name)
          .containsExactlyElementsOf(weights.bits.keySet());
    }
  }

  @Test
  void listsNewestFirstWhateverStepsAndClocksSay() throws IOException {
    CheckpointInfo first = save("m", 9, "a");
    CheckpointInfo second = save("m", 2, "b");
    reopen();
    CheckpointInfo third = save("m", 1, "c");
    CheckpointInfo other = save("n", 1, "c");
    assertThat(store.list("m")).containsExactly(third, second, first);
    assertThat(store.list()).containsExactly(other, third, second, first);
    assertThat(store.models()).containsExactly("m", "n");
  }

  @Test
  void savingAStepAgainKeepsItsFiles() throws IOException {
    CheckpointInfo saved = save("m", 3, "a");
    Path file = directory("m", saved.id()).resolve("weights.safetensors");
    Object before = Files.getAttribute(file, "unix:ino");
    assertThat(save("m", 3, "a")).isEqualTo(saved);
    CheckpointMeta renewed =
        new CheckpointMeta(3, "a", ByteString.EMPTY, ByteString.EMPTY, Instant.EPOCH, false);
    CheckpointInfo again = store.save("m", renewed, weights.sources(), state.sources());
    assertThat(again.id()).isEqualTo(saved.id());
    assertThat(store.meta("m", saved.id())).isEqualTo(renewed);
    assertThat(Files.getAttribute(file, "unix:ino")).isEqualTo(before);
    assertThat(store.list("m")).containsExactly(again);
  }

  @Test
  void replacingAStepReplacesItsTensors() throws IOException {
    CheckpointInfo saved = save("m", 3, "a");
    Tensors others = Tensors.random(9, 5, 300_000, 0);
    CheckpointInfo again =
        store.replace("m", Tensors.meta(3, "a"), others.sources(), state.sources());
    assertThat(store.list("m")).containsExactly(again);
    assertThat(again.id()).isEqualTo(saved.id());
    Tensors loaded = others.empty();
    store.load("m", saved.id(), loaded, state.empty());
    assertThat(loaded).isEqualTo(others);
  }

  @Test
  void aFailedSaveLeavesNothing() {
    TensorSource failing = new Failing();
    assertThatThrownBy(
            () -> store.save("m", Tensors.meta(1, "a"), weights.sources(), List.of(failing)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("device lost");
    assertThat(data.resolve("models/m/checkpoints")).isEmptyDirectory();
  }

  @Test
  void deletesOneCheckpoint() throws IOException {
    CheckpointInfo first = save("m", 1, "a");
    CheckpointInfo second = save("m", 2, "a");
    assertThat(store.delete("m", second.id())).isEqualTo(second.sizeBytes());
    assertThat(store.list("m")).containsExactly(first);
    assertThat(directory("m", second.id())).doesNotExist();
    assertNotFound(() -> store.delete("m", second.id()));
    assertNotFound(() -> store.meta("m", second.id()));
    assertNotFound(() -> store.load("m", second.id(), weights, state));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "..", ".", "../000000000001-a", "000000000001-a/..", "x"})
  void strangeIdsAreNotFound(String id) throws IOException {
    save("m", 1, "a");
    assertNotFound(() -> store.meta("m", id));
    assertNotFound(() -> store.delete("m", id));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "..", ".", "a/b", "../m", "/etc", ".m", "a\\b", "a\0", "a b"})
  void strangeNamesAreRefused(String name) {
    assertThatThrownBy(() -> save(name, 1, "a")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> save("m", 1, name)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> store.list(name)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> store.removeAll(name)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> store.bury(name)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aTombstoneBuriesWhatIsThereForGood() throws IOException {
    CheckpointInfo buried = save("m", 5, "a");
    store.bury("m");
    reopen();
    assertThat(store.models()).isEmpty();
    assertThat(store.living("m")).isEmpty();
    assertThat(store.list("m")).containsExactly(buried);
    assertThat(store.list()).containsExactly(buried);
    store.delete("m", buried.id());
    reopen();
    // The numbers go on above the tombstone's, whatever is left.
    CheckpointInfo later = save("m", 1, "b");
    assertThat(store.models()).containsExactly("m");
    assertThat(store.living("m")).containsExactly(later);
    store.bury("m");
    reopen();
    assertThat(store.models()).isEmpty();
  }

  @Test
  void whatIsRenewedOrSavedAgainLives() throws IOException {
    CheckpointInfo first = save("m", 1, "a");
    CheckpointInfo second = save("m", 2, "a");
    CheckpointInfo third = save("m", 3, "a");
    store.bury("m");
    CheckpointMeta meta = store.meta("m", second.id());
    ByteString spec = ByteString.copyFrom(new byte[meta.modelSpec().size()]);
    store.renew("m", second.id(), spec, meta.ledger());
    reopen();
    assertThat(store.meta("m", second.id())).isEqualTo(meta.with(spec, meta.ledger()));
    assertThat(store.living("m")).containsExactly(second);
    assertThat(store.list("m")).containsExactly(second, third, first);
    save("m", 1, "a");
    assertThat(store.living("m")).containsExactly(first, second);
    assertNotFound(() -> store.renew("m", "000000000009-a", spec, spec));
  }

  @Test
  void nothingIsBuriedWhereThereIsNothing() throws IOException {
    store.bury("m");
    assertThat(data.resolve("models/m")).doesNotExist();
  }

  @Test
  void aDamagedTombstoneBuriesWhatIsThere() throws IOException {
    save("m", 1, "a");
    Files.writeString(data.resolve("models/m/tombstone"), "x");
    reopen();
    assertThat(store.models()).isEmpty();
    CheckpointInfo later = save("m", 2, "a");
    reopen();
    assertThat(store.living("m")).containsExactly(later);
  }

  @Test
  void removesAllOfAModel() throws IOException {
    save("m", 1, "a");
    CheckpointInfo other = save("n", 1, "a");
    store.bury("m");
    store.removeAll("m");
    store.removeAll("never-was");
    assertThat(data.resolve("models/m")).doesNotExist();
    assertThat(store.list()).containsExactly(other);
    reopen();
    assertThat(store.models()).containsExactly("n");
  }

  @Test
  void finishesAnInterruptedRemoval() throws IOException {
    save("m", 1, "a");
    store.close();
    Files.move(data.resolve("models/m/checkpoints"), data.resolve("models/m/removed"));
    store = new CheckpointStore(data);
    assertThat(store.models()).isEmpty();
    assertThat(data.resolve("models/m")).isEmptyDirectory();
  }

  @Test
  void removesUnfinishedCheckpointsWhenItOpens() throws IOException {
    CheckpointInfo saved = save("m", 1, "a");
    Path unfinished = Files.createDirectories(directory("m", "000000000002-a"));
    Files.writeString(unfinished.resolve("weights.safetensors"), "whole");
    Files.writeString(unfinished.resolve(".manifest.json.1f.tmp"), "half");
    Path left = directory("m", saved.id()).resolve(".manifest.json.2f.tmp");
    Files.writeString(left, "half");
    assertThat(store.list("m")).containsExactly(saved);
    reopen();
    assertThat(unfinished).doesNotExist();
    assertThat(left).doesNotExist();
    assertThat(store.list("m")).containsExactly(saved);
  }

  @Test
  void listsWhileSaving() throws IOException {
    CompletableFuture<Void> saving =
        CompletableFuture.runAsync(
            () -> {
              for (int step = 1; step <= 40; step++) {
                saveUnchecked(step);
              }
            });
    long seen = 0;
    boolean more = true;
    while (more) {
      more = !saving.isDone();
      List<CheckpointInfo> listed = store.list("m");
      assertThat(listed.size()).isGreaterThanOrEqualTo((int) seen);
      for (int i = 0; i < listed.size(); i++) {
        assertThat(listed.get(i).step()).isEqualTo(listed.size() - i);
      }
      seen = listed.size();
    }
    saving.join();
    assertThat(seen).isEqualTo(40);
  }

  @Test
  void oneStoreAtATime() throws IOException {
    CheckpointException e =
        catchThrowableOfType(CheckpointException.class, () -> new CheckpointStore(data));
    assertThat(e.kind()).isEqualTo(CheckpointException.Kind.STORAGE);
    assertThat(e).hasMessageContaining("in use by another server");
    reopen();
  }

  @Test
  void namesADataDirectoryThatCannotBe() throws IOException {
    Path file = Files.writeString(data.resolve("f"), "x");
    CheckpointException e =
        catchThrowableOfType(CheckpointException.class, () -> new CheckpointStore(file));
    assertThat(e.kind()).isEqualTo(CheckpointException.Kind.STORAGE);
    assertThat(e.file()).isEqualTo(file.toString());
  }

  private static void assertNotFound(ThrowingCallable call) {
    CheckpointException e = catchThrowableOfType(CheckpointException.class, call);
    assertThat(e.kind()).isEqualTo(CheckpointException.Kind.NOT_FOUND);
  }

  private CheckpointInfo save(String model, long step, String incarnation) throws IOException {
    return store.save(model, Tensors.meta(step, incarnation), weights.sources(), state.sources());
  }

  private void saveUnchecked(int step) {
    try {
      store.save("m", Tensors.meta(step, "a"), state.sources(), state.sources());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void reopen() throws IOException {
    store.close();
    store = new CheckpointStore(data);
  }

  private Path directory(String model, String id) {
    return data.resolve("models").resolve(model).resolve("checkpoints").resolve(id);
  }

  private static long bytesIn(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      long total = 0;
      for (Path file : files.toList()) {
        total += Files.size(file);
      }
      return total;
    }
  }

  private record Failing() implements TensorSource {
    @Override
    public String name() {
      return "bad";
    }

    @Override
    public List<Long> shape() {
      return List.of(1L);
    }

    @Override
    public void read(long floatIndex, ByteBuffer into) {
      throw new IllegalStateException("device lost");
    }
  }
}
