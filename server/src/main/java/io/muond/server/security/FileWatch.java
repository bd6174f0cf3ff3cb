package io.muond.server.security;

import io.muond.files.BadFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads files again when they have changed. It compares contents, as a renewal may keep time and
 * size, and waits until they have been the same for one period, as a certificate and its key are
 * two files that are not replaced at once. What cannot be used is told in one line, and what there
 * was stays.
 */
final class FileWatch implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(FileWatch.class);

  /** The files are few and small. */
  private static final Duration PERIOD = Duration.ofMillis(500);

  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "reload");
            thread.setDaemon(true);
            return thread;
          });

  /** Puts what files hold in place of what they held. */
  @FunctionalInterface
  interface Reload {
    void run() throws BadFileException;
  }

  /** Reads {@code files} now, and again whenever one of them has changed. */
  void readAndWatch(List<Path> files, Reload reload) throws BadFileException {
    Group group = new Group(files, reload);
    reload.run();
    every(group::look);
  }

  /** Runs {@code work} from time to time. */
  void every(Runnable work) {
    var unused =
        timer.scheduleWithFixedDelay(
            () -> attempt(work), PERIOD.toMillis(), PERIOD.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** A timer does not repeat what has thrown once. */
  private static void attempt(Runnable work) {
    try {
      work.run();
    } catch (Throwable e) {
      logger.error("what is done from time to time failed", e);
    }
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }

  /** Files that make one thing. */
  private static final class Group {
    private final List<Path> files;
    private final Reload reload;
    private String used;
    private String seen;

    private Group(List<Path> files, Reload reload) {
      this.files = List.copyOf(files);
      this.reload = reload;
      // Taken before they are read: what changes in between is read once more.
      used = stamp();
      seen = used;
    }

    private void look() {
      String now = stamp();
      boolean settled = now.equals(seen);
      seen = now;
      if (!settled || now.equals(used)) {
        return;
      }
      used = now;
      try {
        reload.run();
        logger.info("read again: {}", files);
      } catch (BadFileException | RuntimeException e) {
        logger.warn("what was read before stays in use: {}", e.getMessage());
      }
    }

    private String stamp() {
      try {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (Path file : files) {
          digest.update(contents(file));
        }
        return HexFormat.of().formatHex(digest.digest());
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every JDK has SHA-256", e);
      }
    }

    private static byte[] contents(Path file) {
      try {
        return Files.readAllBytes(file);
      } catch (IOException e) {
        // A file that is not there is another state than any contents that can be used.
        return new byte[0];
      }
    }
  }
}
