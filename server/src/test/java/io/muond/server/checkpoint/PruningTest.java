package io.muond.server.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which checkpoints a store removes by itself. */
class PruningTest {
  @TempDir Path data;

  private final List<TensorSource> tensors = Tensors.random(1, 5).sources();
  private CheckpointStore store;

  @BeforeEach
  void open() throws IOException {
    store = new CheckpointStore(data);
  }

  @AfterEach
  void close() throws IOException {
    store.close();
  }

  @Test
  void prunesWhatNobodyAskedFor() throws IOException {
    saveAutomatically(1);
    store.bury("m");
    for (int step = 2; step <= 6; step++) {
      saveAutomatically(step);
    }
    saveAsAsked(3);
    // Once asked for, always asked for.
    saveAutomatically(3);
    saveAsAsked(7);
    prune(2, Optional.empty(), 7);
    assertThat(store.list("m"))
        .extracting(CheckpointInfo::step)
        .containsExactly(7L, 3L, 6L, 5L, 1L);
    prune(2, Optional.empty(), 7);
    assertThat(store.list("m")).hasSize(5);
  }

  /**
   * @param current and {@code damaged}: steps
   */
  private void prune(int count, Optional<Duration> age, long current, Long... damaged)
      throws IOException {
    String id = store.list("m").stream().filter(c -> c.step() == current).findAny().get().id();
    store.prune("m", new Retention(count, age), id, c -> Arrays.asList(damaged).contains(c.step()));
  }

  @Test
  void prunesWhatIsOldButTheOneThatARestartGoesBackTo() throws IOException {
    Instant now = Instant.now();
    for (int step = 1; step <= 5; step++) {
      CheckpointMeta meta = Tensors.meta(step, "a", true);
      CheckpointMeta aged =
          new CheckpointMeta(
              step,
              "a",
              meta.modelSpec(),
              meta.ledger(),
              now.minus(Duration.ofHours(6 - step)),
              step != 1);
      store.save("m", aged, tensors, tensors);
    }
    prune(9, Optional.of(Duration.ofMinutes(150)), 5);
    assertThat(store.list("m")).extracting(CheckpointInfo::step).containsExactly(5L, 4L, 1L);
    prune(9, Optional.of(Duration.ofSeconds(1)), 4);
    assertThat(store.list("m")).extracting(CheckpointInfo::step).containsExactly(4L, 1L);
  }

  @Test
  void damagedOnesDoNotCountAndTheOneInUseStays() throws IOException {
    for (int step = 1; step <= 5; step++) {
      saveAutomatically(step);
    }
    prune(2, Optional.empty(), 3, 5L, 4L);
    assertThat(store.list("m")).extracting(CheckpointInfo::step).containsExactly(5L, 4L, 3L, 2L);
    prune(1, Optional.empty(), 2);
    assertThat(store.list("m")).extracting(CheckpointInfo::step).containsExactly(5L, 2L);
  }

  private void saveAsAsked(long step) throws IOException {
    store.save("m", Tensors.meta(step, "a", false), tensors, tensors);
  }

  private void saveAutomatically(long step) throws IOException {
    store.save("m", Tensors.meta(step, "a", true), tensors, tensors);
  }
}
