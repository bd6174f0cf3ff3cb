package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.MuondClient;
import io.muond.v1.Model;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The daemon is asked to stop at random moments under load and started again on the same data and
 * port, a few times here and 100 times with {@code muond.test.soak}. Models of every durability are
 * stepped meanwhile, by the Java library and by a client that repeats nothing. Everything that was
 * let in is answered, nothing is lost, no history ends, and the weights are those of models that
 * nothing has happened to.
 */
@Timeout(value = 60, unit = TimeUnit.MINUTES)
class DrainRoundsTest {
  private static final int ROUNDS = Boolean.getBoolean("muond.test.soak") ? 100 : 3;
  private static final Duration DEADLINE = Duration.ofSeconds(20);
  private static final Pattern CHECKPOINT = Pattern.compile("0*([0-9]+)-.*");

  /** A daemon that lives for a second has no use for what makes a long life fast. */
  private static final Map<String, String> QUICK_START =
      Map.of("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");

  @TempDir Path directory;

  private final long seed = Long.getLong("muond.test.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private final List<FaultWriter> writers = new ArrayList<>();
  private final List<OnceWriter> once = new ArrayList<>();
  private int port;
  private DaemonProcess daemon;

  private void start() throws IOException {
    daemon =
        DaemonProcess.start(
            directory,
            QUICK_START,
            System.getProperty("java.class.path"),
            "--engine=cpu",
            "--threads=1",
            "--port=" + port,
            "--http-port=0",
            "--drain-timeout=" + DEADLINE.toSeconds() + "s",
            "--data-dir=" + data());
    daemon.addresses();
  }

  private Path data() {
    return directory.resolve("data");
  }

  private void begin() throws IOException {
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    start();
    String server = "127.0.0.1:" + port;
    writers.add(new FaultWriter(server, "every-step", 12, 1, FaultWriter.Way.WHOLE));
    writers.add(new FaultWriter(server, "every-7", 12, 7, FaultWriter.Way.WHOLE));
    writers.add(new FaultWriter(server, "on-request", 48, 0, FaultWriter.Way.WHOLE));
    writers.add(new FaultWriter(server, "pieces", 12, 0, FaultWriter.Way.PIECES));
    once.add(new OnceWriter(server, "once-whole", false));
    once.add(new OnceWriter(server, "once-stream", true));
    writers.forEach(w -> w.await(2));
  }

  private void stopUnderLoad() throws Exception {
    for (OnceWriter writer : once) {
      writer.begin();
    }
    writers.forEach(w -> w.await(w.committed() + 1));
    LockSupport.parkNanos(Duration.ofMillis(random.nextInt(200)).toNanos());
    long asked = System.nanoTime();
    daemon.signal("TERM");
    // Whoever is impatient changes nothing.
    for (int again = random.nextInt(3); again > 0; again--) {
      LockSupport.parkNanos(Duration.ofMillis(random.nextInt(30)).toNanos());
      daemon.trySignal(random.nextBoolean() ? "TERM" : "INT");
    }
    assertThat(daemon.exit()).as(daemon.stderr()).isZero();
    assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(DEADLINE);
    for (OnceWriter writer : once) {
      writer.end();
    }
    assertOnDisk();
  }

  /**
   * The last step that was answered is on disk, or the one after it, whose answer is on its way.
   */
  private void assertOnDisk() throws IOException {
    for (FaultWriter writer : writers) {
      assertThat(onDisk(writer.model()))
          .as(writer.model())
          .isBetween(writer.committed(), writer.committed() + 1);
    }
    for (OnceWriter writer : once) {
      assertThat(onDisk(writer.model())).as(writer.model()).isEqualTo(writer.committed());
    }
  }

  private long onDisk(String model) throws IOException {
    try (Stream<Path> all = Files.list(data().resolve("models/" + model + "/checkpoints"))) {
      return all.filter(c -> Files.exists(c.resolve("manifest.json")))
          .map(c -> CHECKPOINT.matcher(c.getFileName().toString()))
          .filter(Matcher::matches)
          .mapToLong(c -> Long.parseLong(c.group(1)))
          .max()
          .orElseThrow();
    }
  }

  private Map<String, Model> models() {
    Map<String, Model> models = new LinkedHashMap<>();
    try (MuondClient client = MuondClient.connect("127.0.0.1:" + port)) {
      client.listModels().forEach(m -> models.put(m.getName(), m));
    }
    return models;
  }

  private void startAgain(Map<String, Model> before) throws IOException {
    start();
    models()
        .forEach(
            (name, model) ->
                assertThat(model.getIncarnation())
                    .as("the incarnation of %s", name)
                    .isEqualTo(before.get(name).getIncarnation()));
    writers.forEach(FaultWriter::requireNoFailure);
  }

  private void finish() throws Exception {
    writers.forEach(w -> w.await(w.committed() + 3));
    try (MuondClient client = MuondClient.connect("127.0.0.1:" + port)) {
      for (FaultWriter writer : writers) {
        writer.finish(client);
      }
    }
    assertThat(daemon.terminate()).isZero();
  }

  @Test
  void stopsAreNotSeen() throws Exception {
    try {
      begin();
      for (int round = 0; round < ROUNDS; round++) {
        Map<String, Model> before = models();
        stopUnderLoad();
        startAgain(before);
      }
      finish();
    } catch (Throwable e) {
      throw new AssertionError("with -Dmuond.test.seed=" + seed, e);
    } finally {
      writers.forEach(FaultWriter::close);
      daemon.close();
    }
  }
}
