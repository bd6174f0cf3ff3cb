package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.MuondClient;
import io.muond.server.FaultyProxy.Fate;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What comes over the network is lost, cut off, late, or comes twice, a few times here and 200
 * times with {@code muond.test.soak}: the Java library's users see nothing of it. Twice is what no
 * TCP does to a connection: there HTTP/2 makes no sense any more, and has to end.
 */
@Timeout(value = 30, unit = TimeUnit.MINUTES)
class NetworkRoundsTest {
  private static final boolean SOAK = Boolean.getBoolean("muond.test.soak");
  private static final int ROUNDS = SOAK ? 200 : 3;

  @TempDir Path directory;

  private final long seed = Long.getLong("muond.test.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private final List<FaultWriter> writers = new ArrayList<>();

  @Test
  void whatHappensToTheNetworkIsNotSeen() throws Exception {
    try (DaemonProcess daemon =
            DaemonProcess.serve(
                directory, "--engine=cpu", "--threads=1", "--data-dir=" + directory.resolve("d"));
        FaultyProxy proxy = new FaultyProxy(port(daemon));
        MuondClient undisturbed = MuondClient.connect(daemon.grpc())) {
      begin(proxy.address());
      for (int round = 0; round < ROUNDS; round++) {
        for (Fate fate : List.of(Fate.DROP, Fate.TRUNCATE, Fate.DELAY, Fate.DUPLICATE)) {
          disturb(proxy, fate);
        }
      }
      for (FaultWriter writer : writers) {
        writer.finish(undisturbed);
      }
      assertThat(daemon.terminate()).isZero();
    } catch (Throwable e) {
      throw new AssertionError("with -Dmuond.test.seed=" + seed, e);
    } finally {
      writers.forEach(FaultWriter::close);
    }
  }

  private static int port(DaemonProcess daemon) throws IOException {
    return Integer.parseInt(daemon.grpc().substring(daemon.grpc().lastIndexOf(':') + 1));
  }

  /** Small messages and large ones, saved after every step and after some. */
  private void begin(String server) {
    writers.add(new FaultWriter(server, "small", 8, 1, FaultWriter.Way.WHOLE));
    writers.add(new FaultWriter(server, "large", 192, 4, FaultWriter.Way.WHOLE));
    writers.add(new FaultWriter(server, "pieces", 160, 4, FaultWriter.Way.PIECES));
    writers.add(new FaultWriter(server, "ahead", 96, 2, FaultWriter.Way.WHOLE_AHEAD));
    writers.add(new FaultWriter(server, "pieces-ahead", 120, 4, FaultWriter.Way.PIECES_AHEAD));
    writers.forEach(w -> w.await(2));
  }

  /** One fault, after some of what is read has passed, and everybody goes on. */
  private void disturb(FaultyProxy proxy, Fate fate) {
    int before = proxy.faults();
    AtomicInteger left = new AtomicInteger(1 + random.nextInt(40));
    proxy.setPlan(bytes -> left.decrementAndGet() == 0 ? fate : Fate.PASS);
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (proxy.faults() == before) {
      writers.forEach(FaultWriter::requireNoFailure);
      assertThat(System.nanoTime()).as("a fault").isLessThan(deadline);
      LockSupport.parkNanos(Duration.ofMillis(1).toNanos());
    }
    writers.forEach(w -> w.await(w.committed() + 2));
  }
}
