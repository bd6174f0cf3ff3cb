package io.muond.client.cli;

import io.muond.client.Progress;
import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Where commands write.
 *
 * @param out results
 * @param err errors and progress
 * @param terminal whether {@code err} is a terminal
 * @param stopping set when the process is being ended from outside
 */
record Console(PrintStream out, PrintStream err, boolean terminal, AtomicBoolean stopping) {
  /** Long enough that a log holds results, not progress, of anything short. */
  private static final Duration LOG_INTERVAL = Duration.ofSeconds(5);

  Console(PrintStream out, PrintStream err, boolean terminal) {
    this(out, err, terminal, new AtomicBoolean());
  }

  Progress progress(String title, long total, String unit) {
    return new Progress(title, total, unit, err, terminal, LOG_INTERVAL);
  }
}
