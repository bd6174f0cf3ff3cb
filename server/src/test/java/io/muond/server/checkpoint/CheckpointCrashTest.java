package io.muond.server.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Kills a process that saves one checkpoint after the other. */
final class CheckpointCrashTest {
  private static final int KILLS = 4;
  private static final int FLOATS = 200_000;

  @TempDir Path data;

  /** The process that is killed: saves on from the newest checkpoint, telling each step. */
  static final class Saver {
    private Saver() {}

    public static void main(String[] args) throws IOException {
      try (CheckpointStore store = new CheckpointStore(Path.of(args[0]))) {
        for (long step = Long.parseLong(args[1]); ; step++) {
          List<TensorSource> tensors = Tensors.random(step, FLOATS).sources();
          store.save("m", Tensors.meta(step, "a"), tensors, tensors);
          System.out.println(step);
        }
      }
    }
  }

  @Test
  @Timeout(120)
  void whatWasSavedBeforeAKillIsIntact() throws Exception {
    long told = 0;
    for (int kill = 1; kill <= KILLS; kill++) {
      told = saveAndKill(told + 1, 2 * kill);
      try (CheckpointStore store = new CheckpointStore(data)) {
        List<CheckpointInfo> listed = store.list("m");
        assertThat(listed).extracting(CheckpointInfo::step).contains(told);
        for (CheckpointInfo checkpoint : listed) {
          Tensors expected = Tensors.random(checkpoint.step(), FLOATS);
          Tensors weights = expected.empty();
          Tensors state = expected.empty();
          store.load("m", checkpoint.id(), weights, state);
          assertThat(weights).isEqualTo(expected);
          assertThat(state).isEqualTo(expected);
        }
        told = listed.get(0).step();
        assertThat(listed).hasSize((int) told);
      }
    }
  }

  /** Returns the last step that was told to be saved. */
  private long saveAndKill(long first, int steps) throws Exception {
    Process saver =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Saver.class.getName(),
                data.toString(),
                Long.toString(first))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(saver.getInputStream(), UTF_8))) {
      long last = 0;
      for (int i = 0; i < steps; i++) {
        last = Long.parseLong(lines.readLine());
      }
      return last;
    } finally {
      // SIGKILL: nothing is cleaned up.
      saver.destroyForcibly();
      assertThat(saver.waitFor(30, TimeUnit.SECONDS)).isTrue();
    }
  }
}
