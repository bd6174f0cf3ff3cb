package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.MuondClient;
import io.muond.v1.Model;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
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
 * The daemon is killed at random moments under load and started again on the same data and port, a
 * few times here and 200 times with {@code muond.test.soak}: what the Java library's users see is
 * that nothing has happened. Three models at a time take the same kills, one saved after every step
 * and two after some, one of these stepped piece by piece.
 */
@Timeout(value = 60, unit = TimeUnit.MINUTES)
class CrashRoundsTest {
  private static final boolean SOAK = Boolean.getBoolean("muond.test.soak");
  private static final Pattern SEQUENCE = Pattern.compile("\"sequence\": (\\d+)");
  private static final int SIZE = 12;

  /** A daemon that lives for a second has no use for what makes a long life fast. */
  private static final Map<String, String> QUICK_START =
      Map.of("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");

  @TempDir Path directory;

  private final long seed = Long.getLong("muond.test.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private final List<FaultWriter> writers = new ArrayList<>();
  private Path data;
  private List<String> prefix = List.of();
  private int port;
  private DaemonProcess daemon;

  private static int rounds(int few) {
    return SOAK ? 200 : few;
  }

  /** What is done between a kill and the start after it. */
  private interface Damage {
    void happen() throws IOException;
  }

  private void start() throws IOException {
    daemon =
        DaemonProcess.start(
            directory,
            prefix,
            QUICK_START,
            System.getProperty("java.class.path"),
            "--engine=cpu",
            "--threads=1",
            "--port=" + port,
            "--http-port=0",
            "--data-dir=" + data);
    daemon.addresses();
  }

  private void begin(Path dataDirectory) throws IOException {
    data = dataDirectory;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    start();
    String server = "127.0.0.1:" + port;
    writers.add(new FaultWriter(server, "every-step", SIZE, 1, FaultWriter.Way.WHOLE));
    writers.add(new FaultWriter(server, "every-5", SIZE, 5, FaultWriter.Way.WHOLE));
    writers.add(new FaultWriter(server, "every-3", SIZE, 3, FaultWriter.Way.PIECES));
    writers.add(new FaultWriter(server, "ahead", SIZE, 4, FaultWriter.Way.WHOLE_AHEAD));
    writers.add(new FaultWriter(server, "pieces-ahead", SIZE, 2, FaultWriter.Way.PIECES_AHEAD));
    // From here on each has two checkpoints.
    writers.forEach(w -> w.await(5));
  }

  private void pause(int millis) {
    LockSupport.parkNanos(Duration.ofMillis(random.nextInt(millis)).toNanos());
  }

  /** Some moment at which all are at work. */
  private void work(int millis) {
    writers.forEach(w -> w.await(w.committed() + 1));
    pause(millis);
  }

  private void killAndStart(Damage damage) throws Exception {
    daemon.kill();
    damage.happen();
    start();
    writers.forEach(FaultWriter::requireNoFailure);
  }

  /** What was told to be durable was there when the daemon had started. */
  private void assertDurable(List<Long> told) {
    try (MuondClient client = MuondClient.connect("127.0.0.1:" + port)) {
      for (int i = 0; i < told.size(); i++) {
        Model model = client.getModel(writers.get(i).model());
        boolean isEveryStep = model.getDurability().getEverySteps() == 1;
        assertThat(isEveryStep ? model.getCommittedStep() : model.getIncarnationStep())
            .as(model.getName())
            .isGreaterThanOrEqualTo(told.get(i));
      }
    }
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

  private void run(Path dataDirectory, Rounds rounds) throws Exception {
    try {
      begin(dataDirectory);
      rounds.run();
      finish();
    } catch (Throwable e) {
      throw new AssertionError("with -Dmuond.test.seed=" + seed, e);
    } finally {
      writers.forEach(FaultWriter::close);
      daemon.close();
    }
  }

  private interface Rounds {
    void run() throws Exception;
  }

  @Test
  void killsAreNotSeen() throws Exception {
    run(
        directory.resolve("data"),
        () -> {
          for (int round = 0; round < rounds(5); round++) {
            work(300);
            List<Long> told = writers.stream().map(FaultWriter::durable).toList();
            killAndStart(() -> {});
            if (random.nextInt(4) == 0) {
              // Steps are being sent again by some, and others have not come back yet.
              pause(1_000);
              killAndStart(() -> {});
            }
            assertDurable(told);
          }
        });
  }

  @Test
  void killsAreNotSeenThoughTheNewestCheckpointIsDamagedEachTime() throws Exception {
    run(
        directory.resolve("data"),
        () -> {
          for (int round = 0; round < rounds(3); round++) {
            work(200);
            killAndStart(
                () -> {
                  for (FaultWriter writer : writers) {
                    flipAByte(newest(writer.model()));
                  }
                });
            assertThat(daemon.stderr()).contains("weights.safetensors: CRC-32C");
          }
        });
  }

  /** The checkpoint with the highest sequence number. */
  private Path newest(String model) throws IOException {
    try (Stream<Path> checkpoints = Files.list(data.resolve("models/" + model + "/checkpoints"))) {
      return checkpoints
          .filter(c -> Files.exists(c.resolve("manifest.json")))
          .max(Comparator.comparingLong(CrashRoundsTest::sequence))
          .orElseThrow();
    }
  }

  private static long sequence(Path checkpoint) {
    try {
      Matcher found = SEQUENCE.matcher(Files.readString(checkpoint.resolve("manifest.json")));
      assertThat(found.find()).as(checkpoint.toString()).isTrue();
      return Long.parseLong(found.group(1));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private void flipAByte(Path checkpoint) throws IOException {
    try (RandomAccessFile file =
        new RandomAccessFile(checkpoint.resolve("weights.safetensors").toFile(), "rw")) {
      long at = random.nextInt(Math.toIntExact(file.length()));
      file.seek(at);
      int before = file.read();
      file.seek(at);
      file.write(before ^ (1 << random.nextInt(8)));
    }
  }

  @Test
  void killsAreNotSeenThoughTheDiskIsFull() throws Exception {
    Path mount = Files.createDirectory(directory.resolve("disk"));
    try (SmallDisk disk = new SmallDisk(mount, 1_024)) {
      prefix = disk.enter();
      run(mount.resolve("data"), () -> fillAndKill(disk));
    }
  }

  private void fillAndKill(SmallDisk disk) throws Exception {
    for (int round = 0; round < rounds(3); round++) {
      work(100);
      List<Long> told = writers.stream().map(FaultWriter::durable).toList();
      long refused = writers.get(0).refused();
      fillUntilRefused(disk, refused);
      pause(50);
      // Killed while the disk is full, and started on one that may still be.
      boolean freedBefore = random.nextBoolean();
      killAndStart(
          () -> {
            if (freedBefore) {
              disk.empty();
            }
          });
      assertDurable(told);
      pause(50);
      disk.empty();
      long committed = writers.get(0).committed();
      writers.forEach(w -> w.await(w.committed() + 6));
      assertThat(writers.get(0).committed()).isGreaterThan(committed);
    }
    assertThat(daemon.stderr()).doesNotContain("cannot be restored");
  }

  /** Old checkpoints that go give room to new ones: it takes some filling. */
  private void fillUntilRefused(SmallDisk disk, long before) throws IOException {
    long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    int left = random.nextInt(3) * 4_096;
    while (writers.get(0).refused() == before) {
      disk.fill(left);
      left = 0;
      writers.forEach(FaultWriter::requireNoFailure);
      assertThat(System.nanoTime()).as("a full disk that refuses").isLessThan(deadline);
      LockSupport.parkNanos(Duration.ofMillis(1).toNanos());
    }
  }
}
