package io.muond.server.engine.cuda;

import static java.util.Objects.requireNonNull;

import io.muond.server.engine.Compute;
import io.muond.server.engine.DeviceInfo;
import io.muond.server.engine.DeviceLostException;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Recorder;
import io.muond.server.engine.Region;
import io.muond.server.engine.Stopwatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/** One CUDA device. */
public final class CudaEngine implements Engine {
  /** Elements of the largest intermediate of a batch: 1 GiB. */
  private static final long BATCH_FLOATS = 1L << 28;

  /** Of tiny ones: an operation keeps a number for each on its lane, which has room for more. */
  static final int BATCH_MATRICES = 1 << 20;

  /**
   * Bytes that the driver gives out at least, and multiples of which it gives out as they are.
   * Smaller allocations would share such pages, and its count would not be the sum of ours.
   */
  private static final long PAGE = 2L << 20;

  private static final int GEMM_REPEATS = 11;

  private final CudaDevice device;
  private final CudaCompute compute;
  private final CudaTransfer transfer;
  private final long engineBytes;
  private final Set<CudaMemory> allocated = ConcurrentHashMap.newKeySet();

  private CudaEngine(CudaDevice device) {
    this.device = device;
    long before = device.availableBytes();
    compute = new CudaCompute(device);
    transfer = new CudaTransfer(device);
    engineBytes = before - device.availableBytes();
  }

  /**
   * Opens a device.
   *
   * @throws CudaUnavailableException where libcuda.so.1 or libcublas.so.12 is missing, or there is
   *     no such device, or it does not come up
   */
  public static CudaEngine open(int ordinal) throws CudaUnavailableException {
    CudaDevice device = null;
    try {
      Cuda.initialize();
      int count = Cuda.deviceCount();
      if (ordinal < 0 || ordinal >= count) {
        throw new CudaUnavailableException(
            "there is no device %d (expected: one of %d)".formatted(ordinal, count));
      }
      device = new CudaDevice(ordinal);
      return new CudaEngine(device);
    } catch (LinkageError | RuntimeException e) {
      if (device != null) {
        device.closeAfter(e);
      }
      throw CudaUnavailableException.of(e);
    }
  }

  /**
   * Opens every device, all at once: each takes seconds to load its kernels. One that does not come
   * up is left out if another does.
   *
   * @param leftOut is told which device and why, in one line
   * @throws CudaUnavailableException as {@link #open}, if no device comes up
   */
  public static List<CudaEngine> openAll(Consumer<String> leftOut) throws CudaUnavailableException {
    int count = countDevices();
    List<CompletableFuture<Opening>> openings = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int ordinal = i;
      openings.add(
          CompletableFuture.supplyAsync(
              () -> Opening.of(ordinal), opening -> new Thread(opening, "open").start()));
    }
    List<Opening> done = openings.stream().map(CompletableFuture::join).toList();
    List<CudaEngine> engines = done.stream().map(Opening::engine).filter(Objects::nonNull).toList();
    if (engines.isEmpty()) {
      throw done.isEmpty()
          ? new CudaUnavailableException("there is no device")
          : done.get(0).failure;
    }
    done.stream()
        .filter(o -> o.failure != null)
        .forEach(o -> leftOut.accept("device " + o.ordinal + ": " + o.failure.getMessage()));
    return engines;
  }

  /** A device that was opened, or why it was not. */
  private record Opening(int ordinal, CudaEngine engine, CudaUnavailableException failure) {
    static Opening of(int ordinal) {
      try {
        return new Opening(ordinal, CudaEngine.open(ordinal), null);
      } catch (CudaUnavailableException e) {
        return new Opening(ordinal, null, e);
      }
    }
  }

  private static int countDevices() throws CudaUnavailableException {
    try {
      Cuda.initialize();
      return Cuda.deviceCount();
    } catch (LinkageError | RuntimeException e) {
      throw CudaUnavailableException.of(e);
    }
  }

  @Override
  public String kind() {
    return "cuda";
  }

  @Override
  public DeviceInfo device() {
    long available = device.availableBytes();
    return new DeviceInfo(
        device.ordinal(), device.name(), device.memoryBytes(), available, engineBytes);
  }

  @Override
  public Optional<DeviceLostException> loss() {
    return Optional.ofNullable(device.loss());
  }

  @Override
  public void examine() {
    device.examine();
  }

  @Override
  public boolean supports(Precision precision) {
    return true;
  }

  @Override
  public Memory allocate(String owner, long floats) {
    requireNonNull(owner, "owner is null");
    if (floats < 0) {
      throw new IllegalArgumentException("floats: " + floats + " (expected: at least 0)");
    }
    CudaMemory[] self = new CudaMemory[1];
    long bytes = allocationBytes(floats);
    self[0] =
        new CudaMemory(device, transfer, owner, floats, bytes, () -> allocated.remove(self[0]));
    allocated.add(self[0]);
    try {
      device.zero(self[0].at(0), floats);
    } catch (RuntimeException e) {
      self[0].close();
      throw e;
    }
    return self[0];
  }

  @Override
  public long allocationBytes(long floats) {
    long bytes = Math.multiplyExact(floats, (long) Float.BYTES);
    return Math.multiplyExact(Math.max(1, Math.addExact(bytes, PAGE - 1) / PAGE), PAGE);
  }

  @Override
  public long allocatedBytes() {
    return allocated.stream().mapToLong(memory -> memory.floats() * Float.BYTES).sum();
  }

  @Override
  public Compute compute() {
    device.enter();
    return compute;
  }

  @Override
  public void synchronize() {
    device.synchronize();
  }

  @Override
  public Recorder recorder() {
    return new CudaRecorder(device, compute.lanes());
  }

  @Override
  public int batchFor(int count, long floats) {
    long fitting = Math.max(1, BATCH_FLOATS / Math.max(1, floats));
    return (int) Math.min(Math.min(count, BATCH_MATRICES), fitting);
  }

  @Override
  public double gemmRate(int n) {
    device.enter();
    long floats = (long) n * n;
    try (Memory memory = allocate("gemm measurement", 3 * floats);
        Recorder recorder = recorder()) {
      Matrices a = Matrices.packed(new Region(memory, 0, floats), 1, n, n);
      Matrices b = Matrices.packed(new Region(memory, floats, floats), 1, n, n);
      Matrices c = Matrices.packed(new Region(memory, 2 * floats, floats), 1, n, n);
      compute.addIdentity(1, a);
      compute.addIdentity(1, b);
      double[] seconds = new double[GEMM_REPEATS];
      for (int i = 0; i < GEMM_REPEATS; i++) {
        Stopwatch watch = recorder.stopwatch(i);
        watch.start();
        compute.product(1, a, false, b, false, 0, c, Precision.FLOAT32);
        watch.stop();
        device.synchronize();
        seconds[i] = watch.seconds();
      }
      Arrays.sort(seconds);
      return 2.0 * n * n * n / seconds[GEMM_REPEATS / 2];
    }
  }

  @Override
  public void close() {
    List<String> owners = new ArrayList<>();
    for (CudaMemory memory : allocated) {
      owners.add(memory.owner() + " (" + memory.floats() * Float.BYTES + " bytes)");
    }
    device.close();
    if (!owners.isEmpty()) {
      throw new IllegalStateException("memory is still allocated by " + owners);
    }
  }
}
