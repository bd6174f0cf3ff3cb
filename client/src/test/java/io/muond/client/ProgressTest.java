package io.muond.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** What progress looks like on a terminal and in a log. */
class ProgressTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final AtomicLong nanos = new AtomicLong();

  private Progress progress(boolean terminal) {
    return new Progress(
        "training",
        1_000,
        "steps",
        new PrintStream(out, true, StandardCharsets.UTF_8),
        terminal,
        Duration.ofMillis(500),
        nanos::get);
  }

  private String text() {
    return out.toString(StandardCharsets.UTF_8);
  }

  private void work(Progress progress, long steps, long millisPerStep) {
    for (long step = 1; step <= steps; step++) {
      nanos.addAndGet(millisPerStep * 1_000_000);
      progress.update(step, "loss 0.5");
    }
  }

  @Test
  void aLogHasAboutTenLines() {
    try (Progress progress = progress(false)) {
      work(progress, 1_000, 10);
    }
    List<String> lines = text().lines().toList();
    assertThat(lines).hasSize(10);
    assertThat(lines.get(0))
        .isEqualTo("training: 10 %, 100/1000 steps, 1.0 s, 100 steps/s loss 0.5");
    assertThat(lines.get(9)).startsWith("training: 100 %, 1000/1000 steps, 10.0 s");
    assertThat(text()).doesNotContain("\r").doesNotContain("\u001b");
  }

  @Test
  void aShortTaskLogsNothing() {
    try (Progress progress = progress(false)) {
      work(progress, 1_000, 0);
    }
    assertThat(text()).isEmpty();
  }

  @Test
  void aTaskThatFailsAddsNoLine() {
    try (Progress progress = progress(false)) {
      work(progress, 50, 10);
    }
    assertThat(text()).isEmpty();
  }

  @Test
  void aTerminalHasOneLineRedrawn() {
    try (Progress progress = progress(true)) {
      work(progress, 1_000, 10);
    }
    assertThat(text().lines().filter(line -> !line.isEmpty())).isNotEmpty();
    assertThat(text()).endsWith(System.lineSeparator()).contains("\rtraining [############");
    assertThat(text().chars().filter(c -> c == '\n').count()).isEqualTo(1);
    // At 10 redraws a second.
    assertThat(text().chars().filter(c -> c == '\r').count()).isBetween(50L, 120L);
  }
}
