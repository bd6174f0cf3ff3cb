package io.muond.client.cli;

import io.muond.client.Progress;
import java.io.PrintStream;
import java.nio.charset.Charset;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Where commands write.
 *
 * @param out results
 * @param err errors and progress
 * @param charset in which {@code out} writes
 * @param terminal whether {@code err} is a terminal
 * @param stopping set when the process is being ended from outside
 */
record Console(
    PrintStream out, PrintStream err, Charset charset, boolean terminal, AtomicBoolean stopping) {
  /** Long enough that a log holds results, not progress, of anything short. */
  private static final Duration LOG_INTERVAL = Duration.ofSeconds(5);

  Console(PrintStream out, PrintStream err, Charset charset, boolean terminal) {
    this(out, err, charset, terminal, new AtomicBoolean());
  }

  /** The process's own. */
  static Console standard() {
    return new Console(System.out, System.err, standardCharset(), Progress.stderrIsTerminal());
  }

  /**
   * What System.out writes in: from Java 19 on a property says it, before that the default does.
   */
  private static Charset standardCharset() {
    String name =
        System.getProperty("stdout.encoding", System.getProperty("sun.stdout.encoding", ""));
    return !name.isEmpty() && Charset.isSupported(name)
        ? Charset.forName(name)
        : Charset.defaultCharset();
  }

  Progress progress(String title, long total, String unit) {
    return new Progress(title, total, unit, err, terminal, LOG_INTERVAL);
  }
}
