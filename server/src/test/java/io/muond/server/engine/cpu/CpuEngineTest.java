package io.muond.server.engine.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Memory;
import io.muond.server.engine.OutOfDeviceMemoryException;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Region;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Memory: its size, its limits, its end. */
@Timeout(60)
class CpuEngineTest {
  /** A buffer of the memory has so many elements. */
  private static final long SLAB = 1L << 28;

  private static ByteBuffer floats(int n, float first) {
    ByteBuffer buffer = ByteBuffer.allocate(4 * n).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < n; i++) {
      buffer.putFloat(first + i);
    }
    return buffer.flip();
  }

  private static float[] read(Memory memory, long index, int n) {
    ByteBuffer buffer = ByteBuffer.allocate(4 * n);
    memory.send(index, ElementType.FLOAT32, buffer);
    float[] values = new float[n];
    buffer.flip().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  @Test
  void elementsBeyondTwoGibibytesAreWhereTheyBelong() {
    long size = 2 * SLAB + 1_000_003;
    try (CpuEngine engine = new CpuEngine(2, 4 * size);
        Memory memory = engine.allocate("large", size)) {
      assertThat(memory.floats()).isEqualTo(size);
      int n = 9_001;
      long[] starts = {0, SLAB - 5_000, 2 * SLAB - 4_097, 2 * SLAB + 77_777, size - n};
      for (int i = 0; i < starts.length; i++) {
        memory.receive(starts[i], ElementType.FLOAT32, floats(n, 10_000f * (i + 1)));
      }
      for (int i = 0; i < starts.length; i++) {
        float[] found = read(memory, starts[i], n);
        for (int j = 0; j < n; j++) {
          assertThat(found[j]).isEqualTo(10_000f * (i + 1) + j);
        }
      }
      assertThat(read(memory, SLAB - 5_001, 1)).containsExactly(0);
      assertThat(read(memory, SLAB + 4_001, 1)).containsExactly(0);
    }
  }

  @Test
  void matricesAcrossTheSeamOfTwoBuffersAreComputedWith() {
    long size = 2 * SLAB + 64;
    try (CpuEngine engine = new CpuEngine(2, 4 * size);
        Memory memory = engine.allocate("large", size)) {
      for (long seam : new long[] {SLAB, 2 * SLAB}) {
        Matrices a = Matrices.packed(new Region(memory, seam - 5, 9), 1, 3, 3);
        Matrices b = Matrices.packed(new Region(memory, seam + 10, 9), 1, 3, 3);
        memory.receive(seam - 5, ElementType.FLOAT32, floats(9, 1));
        engine.compute().product(1, a, false, a, false, 0, b, Precision.FLOAT32);
        engine.compute().combine(1, b, -1, a);
        assertThat(read(memory, seam - 5, 9)).containsExactly(29, 34, 39, 62, 76, 90, 95, 118, 141);
      }
    }
  }

  @Test
  void memoryIsZeroedAndAlignedToCacheLines() {
    try (CpuEngine engine = new CpuEngine(1, 1 << 20)) {
      for (int i = 0; i < 20; i++) {
        try (Memory memory = engine.allocate("zeros", 1_000 + i)) {
          assertThat(read(memory, 0, 1_000 + i)).containsOnly(0);
          assertThat(((CpuMemory) memory).at(16).address() % 64).isZero();
          memory.receive(0, ElementType.FLOAT32, floats(1_000, 1));
        }
      }
    }
  }

  @Test
  void aRangeOutsideTheMemoryIsRefusedBeforeAnythingIsWritten() {
    try (CpuEngine engine = new CpuEngine(1, 1 << 20);
        Memory memory = engine.allocate("ranges", 10_000)) {
      for (long index : new long[] {-1, 1, 10_001, Long.MAX_VALUE, Long.MIN_VALUE}) {
        assertThatThrownBy(() -> memory.receive(index, ElementType.FLOAT32, floats(10_000, 1)))
            .isInstanceOf(IndexOutOfBoundsException.class)
            .hasMessageContaining("10000 of ranges");
        ByteBuffer to = floats(10_000, 5);
        assertThatThrownBy(() -> memory.send(index, ElementType.FLOAT32, to))
            .isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(to.getFloat(0)).isEqualTo(5);
      }
      assertThat(read(memory, 0, 10_000)).containsOnly(0);
    }
  }

  @Test
  void aLeakIsNamedWhenTheEngineCloses() {
    CpuEngine engine = new CpuEngine(2, 1 << 20);
    Memory kept = engine.allocate("weights of model-7", 100);
    engine.allocate("returned", 10).close();
    assertThatThrownBy(engine::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("weights of model-7 (400 bytes)")
        .hasMessageNotContaining("returned");
    kept.close();
    engine.close();
  }

  @Test
  void closingMemoryTwiceFreesItOnce() {
    try (CpuEngine engine = new CpuEngine(1, 1 << 20);
        Memory other = engine.allocate("other", 50)) {
      Memory memory = engine.allocate("twice", 100);
      memory.close();
      memory.close();
      assertThat(engine.allocatedBytes()).isEqualTo(4 * other.floats());
    }
  }

  @Test
  void closedMemoryIsNotUsed() {
    try (CpuEngine engine = new CpuEngine(1, 1 << 20);
        Memory open = engine.allocate("open", 16)) {
      Memory memory = engine.allocate("closed early", 16);
      Matrices x = Matrices.packed(new Region(memory, 0, 16), 1, 4, 4);
      Matrices y = Matrices.packed(new Region(open, 0, 16), 1, 4, 4);
      memory.close();
      List<Runnable> uses =
          List.of(
              () -> memory.receive(0, ElementType.FLOAT32, floats(1, 1)),
              () -> read(memory, 0, 1),
              () -> engine.compute().copy(x, y),
              () -> engine.compute().copy(y, x),
              () -> engine.compute().product(1, x, false, x, false, 0, y, Precision.FLOAT32),
              () -> engine.compute().addIdentity(1, x));
      for (Runnable use : uses) {
        assertThatThrownBy(use::run)
            .isInstanceOf(IllegalStateException.class)
            .hasMessage("memory of closed early was closed");
      }
      assertThat(read(open, 0, 16)).containsOnly(0);
    }
  }

  @Test
  void closingWaitsForTransfersOfOtherThreads() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (CpuEngine engine = new CpuEngine(1, 1 << 24)) {
      for (int round = 0; round < 100; round++) {
        Memory memory = engine.allocate("contended", 1 << 16);
        CountDownLatch started = new CountDownLatch(2);
        Future<?> writer = threads.submit(() -> transferUntilClosed(memory, true, started));
        Future<?> reader = threads.submit(() -> transferUntilClosed(memory, false, started));
        started.await();
        memory.close();
        writer.get();
        reader.get();
      }
      assertThat(engine.allocatedBytes()).isZero();
    } finally {
      threads.shutdownNow();
    }
  }

  private static void transferUntilClosed(Memory memory, boolean write, CountDownLatch started) {
    ByteBuffer buffer = floats(1 << 16, 1);
    assertThatThrownBy(
            () -> {
              while (true) {
                buffer.clear();
                if (write) {
                  memory.receive(0, ElementType.FLOAT32, buffer);
                } else {
                  memory.send(0, ElementType.FLOAT32, buffer);
                }
                started.countDown();
              }
            })
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("memory of contended was closed");
  }

  @Test
  void whatDoesNotFitIsRefusedWithTheNumbers() {
    try (CpuEngine engine = new CpuEngine(1, 1_000);
        Memory memory = engine.allocate("first", 150)) {
      assertThatThrownBy(() -> engine.allocate("model-9", 101))
          .isInstanceOfSatisfying(
              OutOfDeviceMemoryException.class,
              e -> {
                assertThat(e.neededBytes()).isEqualTo(404);
                assertThat(e.availableBytes()).isEqualTo(400);
              })
          .hasMessage("model-9 needs 404 bytes of device memory (400 bytes are available)");
      assertThat(engine.allocatedBytes()).isEqualTo(4 * memory.floats());
      assertThat(engine.device().availableBytes()).isEqualTo(400);
      engine.allocate("exactly what is left", 100).close();
    }
  }

  @Test
  void whatTheOperatingSystemRefusesIsNotCounted() {
    try (CpuEngine engine = new CpuEngine(1, Long.MAX_VALUE)) {
      assertThatThrownBy(() -> engine.allocate("everything", 1L << 60))
          .isInstanceOf(OutOfDeviceMemoryException.class);
      assertThat(engine.allocatedBytes()).isZero();
    }
  }

  @Test
  void negativeSizesAreRefused() {
    try (CpuEngine engine = new CpuEngine(1, 1_000)) {
      assertThatThrownBy(() -> engine.allocate("negative", -1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("floats: -1 (expected: at least 0)");
      assertThat(engine.allocatedBytes()).isZero();
    }
  }

  @Test
  void theCountIsExactUnderConcurrentUse() throws Exception {
    int threads = 4;
    long limit = 4_000;
    ExecutorService executor = Executors.newFixedThreadPool(threads);
    try (CpuEngine engine = new CpuEngine(1, limit)) {
      List<Future<List<Memory>>> kept = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        int seed = t;
        kept.add(
            executor.submit(() -> allocateAndClose(engine, limit, new SplittableRandom(seed))));
      }
      long expected = 0;
      for (Future<List<Memory>> memories : kept) {
        for (Memory memory : memories.get()) {
          expected += 4 * memory.floats();
        }
      }
      assertThat(engine.allocatedBytes()).isEqualTo(expected);
      for (Future<List<Memory>> memories : kept) {
        memories.get().forEach(Memory::close);
      }
      assertThat(engine.allocatedBytes()).isZero();
    } finally {
      executor.shutdown();
      assertThat(executor.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
    }
  }

  private static List<Memory> allocateAndClose(
      CpuEngine engine, long limit, SplittableRandom random) {
    List<Memory> open = new ArrayList<>();
    for (int i = 0; i < 20_000; i++) {
      if (open.size() > 5 || (!open.isEmpty() && random.nextBoolean())) {
        open.remove(random.nextInt(open.size())).close();
      } else {
        try {
          open.add(engine.allocate("thread", random.nextInt(100)));
        } catch (OutOfDeviceMemoryException e) {
          assertThat(e.neededBytes()).isGreaterThan(e.availableBytes());
        }
      }
      assertThat(engine.allocatedBytes()).isBetween(0L, limit);
    }
    return open;
  }
}
