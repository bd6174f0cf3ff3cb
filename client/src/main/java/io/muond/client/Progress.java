package io.muond.client;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * Tells a person how far a long task is: on a terminal one line redrawn in place, elsewhere (a log)
 * about ten plain lines from start to end. Close it when the task ends; it is for one thread.
 *
 * <pre>{@code
 * try (Progress progress = new Progress("training", steps, "steps")) {
 *   for (long step = 1; step <= steps; step++) {
 *     ...
 *     progress.update(step, "loss 0.31");
 *   }
 * }
 * }</pre>
 */
public final class Progress implements AutoCloseable {
  private static final long REDRAW_NANOS = 100_000_000L;
  private static final Duration LOG_INTERVAL = Duration.ofMillis(500);
  private static final int BAR = 24;

  private final String title;
  private final long total;
  private final String unit;
  private final PrintStream out;
  private final boolean terminal;
  private final long logNanos;
  private final LongSupplier clock;
  private final long start;
  private long lastLine;
  private long done;
  private long loggedTenth;
  private String note = "";
  private boolean closed;

  /** Of a task of {@code total} units (like "steps", "MB"), on stderr. */
  public Progress(String title, long total, String unit) {
    this(title, total, unit, System.err, stderrIsTerminal(), LOG_INTERVAL);
  }

  /**
   * Of a task of {@code total} units, on {@code out}.
   *
   * @param terminal whether lines can be redrawn there
   * @param logInterval the shortest time between plain lines; a shorter task prints none
   */
  public Progress(
      String title,
      long total,
      String unit,
      PrintStream out,
      boolean terminal,
      Duration logInterval) {
    this(title, total, unit, out, terminal, logInterval, System::nanoTime);
  }

  Progress(
      String title,
      long total,
      String unit,
      PrintStream out,
      boolean terminal,
      Duration logInterval,
      LongSupplier clock) {
    this.title = requireNonNull(title, "title is null");
    this.total = Math.max(total, 1);
    this.unit = requireNonNull(unit, "unit is null");
    this.out = requireNonNull(out, "out is null");
    this.terminal = terminal;
    this.logNanos = logInterval.toNanos();
    this.clock = clock;
    this.start = clock.getAsLong();
    this.lastLine = start;
  }

  /** Without a note. */
  public void update(long done) {
    update(done, "");
  }

  /** {@code done} units of the total are done; the note is shown behind it. */
  public void update(long done, String note) {
    this.done = done;
    this.note = requireNonNull(note, "note is null");
    long now = clock.getAsLong();
    if (terminal) {
      if (now - lastLine >= REDRAW_NANOS) {
        lastLine = now;
        redraw(now);
      }
    } else {
      log(now);
    }
  }

  /** Ends the line. In a log, a task that was not finished ends without a word. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    long now = clock.getAsLong();
    if (terminal) {
      redraw(now);
      out.println();
    } else if (done >= total && now - start >= logNanos) {
      out.println(plain(now));
    }
    out.flush();
  }

  private void log(long now) {
    long tenth = fraction(10);
    if (tenth > loggedTenth && tenth < 10 && now - lastLine >= logNanos) {
      loggedTenth = tenth;
      lastLine = now;
      out.println(plain(now));
    }
  }

  private void redraw(long now) {
    int filled = (int) fraction(BAR);
    // Back to the first column, and clear what the last drawing left behind.
    out.print(
        "\r%s [%s%s] %3d %% %s\u001b[K"
            .formatted(
                title, "#".repeat(filled), ".".repeat(BAR - filled), fraction(100), state(now)));
    out.flush();
  }

  private String plain(long now) {
    return "%s: %d %%, %s".formatted(title, fraction(100), state(now));
  }

  private String state(long now) {
    double seconds = Math.max(now - start, 1) * 1e-9;
    double rate = done / seconds;
    return String.format(
            Locale.ROOT,
            rate >= 100 ? "%d/%d %s, %.1f s, %.0f %s/s %s" : "%d/%d %s, %.1f s, %.2f %s/s %s",
            done,
            total,
            unit,
            seconds,
            rate,
            unit,
            note)
        .stripTrailing();
  }

  private long fraction(int parts) {
    return (long) (Math.min((double) done / total, 1) * parts);
  }

  /** Whether stderr goes to a terminal; known only where there is /proc, elsewhere assumed not. */
  public static boolean stderrIsTerminal() {
    Path stderr = Path.of("/proc/self/fd/2");
    if (Files.isSymbolicLink(stderr)) {
      try {
        String target = Files.readSymbolicLink(stderr).toString();
        return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty");
      } catch (IOException e) {
        // Not to be known: plain lines are readable everywhere.
        return false;
      }
    }
    return false;
  }
}
