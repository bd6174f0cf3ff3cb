package io.muond.server.engine.cpu;

import static java.util.Objects.requireNonNull;
import static org.bytedeco.openblas.global.openblas_nolapack.OPENBLAS_VERSION;

import io.muond.server.engine.Compute;
import io.muond.server.engine.DeviceInfo;
import io.muond.server.engine.DeviceLostException;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Memory;
import io.muond.server.engine.OutOfDeviceMemoryException;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Recorder;
import io.muond.server.engine.Region;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** The embedded default: float32 on the CPU, products by OpenBLAS. */
public final class CpuEngine implements Engine {
  /** Intermediates of so many elements per batch (16 MiB) still share the last-level cache. */
  private static final long BATCH_FLOATS = 1L << 22;

  private static final int GEMM_REPEATS = 11;

  private final Workers workers;
  private final CpuCompute compute;
  private final long memoryBytes;
  private final Set<CpuMemory> allocated = ConcurrentHashMap.newKeySet();
  private long allocatedBytes;

  /**
   * @param threads that compute, the caller's included, at least 1
   * @param memoryBytes that allocations may take in total
   */
  public CpuEngine(int threads, long memoryBytes) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads: " + threads + " (expected: at least 1)");
    }
    this.memoryBytes = memoryBytes;
    Blas.useOneThread();
    workers = new Workers(threads);
    compute = new CpuCompute(workers);
  }

  @Override
  public String kind() {
    return "cpu";
  }

  @Override
  public DeviceInfo device() {
    String name =
        "CPU, "
            + workers.threads()
            + (workers.threads() == 1 ? " thread," : " threads,")
            + OPENBLAS_VERSION.stripTrailing();
    return new DeviceInfo(0, name, memoryBytes, memoryBytes - allocatedBytes(), 0);
  }

  @Override
  public Optional<DeviceLostException> loss() {
    return Optional.empty();
  }

  @Override
  public void examine() {}

  @Override
  public boolean supports(Precision precision) {
    return precision == Precision.FLOAT32;
  }

  @Override
  public Memory allocate(String owner, long floats) {
    requireNonNull(owner, "owner is null");
    if (floats < 0) {
      throw new IllegalArgumentException("floats: " + floats + " (expected: at least 0)");
    }
    long bytes = Math.multiplyExact(floats, (long) Float.BYTES);
    synchronized (allocated) {
      if (bytes > memoryBytes - allocatedBytes) {
        throw new OutOfDeviceMemoryException(owner, bytes, memoryBytes - allocatedBytes);
      }
      allocatedBytes += bytes;
    }
    CpuMemory[] self = new CpuMemory[1];
    try {
      self[0] = new CpuMemory(owner, floats, () -> forget(self[0], bytes));
    } catch (OutOfMemoryError e) {
      forget(null, bytes);
      throw new OutOfDeviceMemoryException(owner, bytes, 0);
    }
    allocated.add(self[0]);
    return self[0];
  }

  private void forget(CpuMemory memory, long bytes) {
    if (memory != null) {
      allocated.remove(memory);
    }
    synchronized (allocated) {
      allocatedBytes -= bytes;
    }
  }

  @Override
  public long allocationBytes(long floats) {
    return Math.multiplyExact(floats, (long) Float.BYTES);
  }

  @Override
  public long allocatedBytes() {
    synchronized (allocated) {
      return allocatedBytes;
    }
  }

  @Override
  public Compute compute() {
    return compute;
  }

  @Override
  public void synchronize() {}

  @Override
  public Recorder recorder() {
    return new CpuRecorder();
  }

  @Override
  public int batchFor(int count, long floats) {
    long fitting = Math.max(1, BATCH_FLOATS / Math.max(1, floats));
    return (int) Math.min(count, Math.max(fitting, 1));
  }

  @Override
  public double gemmRate(int n) {
    long floats = (long) n * n;
    try (Memory memory = allocate("gemm measurement", 3 * floats)) {
      Matrices a = Matrices.packed(new Region(memory, 0, floats), 1, n, n);
      Matrices b = Matrices.packed(new Region(memory, floats, floats), 1, n, n);
      Matrices c = Matrices.packed(new Region(memory, 2 * floats, floats), 1, n, n);
      compute.addIdentity(1, a);
      compute.addIdentity(1, b);
      double[] seconds = new double[GEMM_REPEATS];
      for (int i = 0; i < GEMM_REPEATS; i++) {
        long start = System.nanoTime();
        compute.product(1, a, false, b, false, 0, c, Precision.FLOAT32);
        seconds[i] = (System.nanoTime() - start) * 1e-9;
      }
      Arrays.sort(seconds);
      return 2.0 * n * n * n / seconds[GEMM_REPEATS / 2];
    }
  }

  @Override
  public void close() {
    workers.close();
    List<String> owners = new ArrayList<>();
    for (CpuMemory memory : allocated) {
      owners.add(memory.owner() + " (" + memory.floats() * Float.BYTES + " bytes)");
    }
    if (!owners.isEmpty()) {
      throw new IllegalStateException("memory is still allocated by " + owners);
    }
  }
}
