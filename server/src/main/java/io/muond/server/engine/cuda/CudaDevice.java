package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.check;

import io.muond.kernels.Kernels;
import io.muond.server.engine.DeviceLostException;
import io.muond.server.engine.OutOfDeviceMemoryException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Supplier;
import jcuda.CudaException;
import jcuda.driver.CUcontext;
import jcuda.driver.CUctx_flags;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/**
 * One device: its primary context, the stream that steps run on, the kernels. Any thread may use it
 * after {@link #bind}; the stream, and what is made for it, belong to the engine's thread.
 */
final class CudaDevice implements AutoCloseable {
  /** The device whose context the thread is bound to. */
  private static final ThreadLocal<CudaDevice> BOUND = new ThreadLocal<>();

  /** The compute capability that the kernels are compiled for: Ampere. */
  private static final int LEAST_CAPABILITY = 8;

  private final int ordinal;
  private final CUdevice device = new CUdevice();
  private final CUcontext context = new CUcontext();
  private final CUstream stream = new CUstream();
  private final CUstream zeroing = new CUstream();

  /** Undoes what was done, newest first. */
  private final Deque<Runnable> undo = new ArrayDeque<>();

  private final Kernels kernels;

  private final String name;
  private final long memoryBytes;

  /** The thread that computes, once it has. */
  private volatile Thread computing;

  /** Set once the device is found to be lost. */
  private volatile DeviceLostException loss;

  /**
   * @throws CudaUnavailableException if it is older than the kernels are for
   * @throws CudaException if the device does not come up; nothing of it is left then
   */
  CudaDevice(int ordinal) throws CudaUnavailableException {
    this.ordinal = ordinal;
    check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet");
    name = readName();
    requireCapability();
    try {
      check(
          JCudaDriver.cuDevicePrimaryCtxSetFlags(device, CUctx_flags.CU_CTX_SCHED_BLOCKING_SYNC),
          "cuDevicePrimaryCtxSetFlags");
      check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
      onClose(() -> check(JCudaDriver.cuDevicePrimaryCtxRelease(device), "release"));
      bind();
      create(stream);
      create(zeroing);
      memoryBytes = memoryInfo()[1];
      kernels = new Kernels(attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
      onClose(kernels::close);
    } catch (RuntimeException | LinkageError e) {
      closeAfter(e);
      throw e;
    }
  }

  private void requireCapability() throws CudaUnavailableException {
    int major = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    int minor = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    if (major < LEAST_CAPABILITY) {
      throw new CudaUnavailableException(
          "device %d, %s, is of compute capability %d.%d (expected: %d.0 or newer)"
              .formatted(ordinal, name, major, minor, LEAST_CAPABILITY));
    }
  }

  /** Makes a stream that lasts as long as the device. */
  void create(CUstream made) {
    check(
        JCudaDriver.cuStreamCreate(made, CUstream_flags.CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    onClose(() -> check(JCudaDriver.cuStreamDestroy(made), "cuStreamDestroy"));
  }

  /**
   * Has something undone when the device is closed, before all that was made earlier: what lasts as
   * long as the device is given back so even if opening it fails halfway.
   */
  void onClose(Runnable undoing) {
    undo.push(undoing);
  }

  /**
   * Device memory that lasts as long as the device.
   *
   * @throws OutOfDeviceMemoryException if it does not fit
   */
  long reserve(String owner, long bytes) {
    long address = allocate(owner, bytes);
    onClose(() -> free(address));
    return address;
  }

  int ordinal() {
    return ordinal;
  }

  /** The stream that steps run on. */
  CUstream stream() {
    return stream;
  }

  Kernels kernels() {
    return kernels;
  }

  /** Makes the calling thread the one that computes. */
  void enter() {
    bind();
    computing = Thread.currentThread();
  }

  /** The thread that computes finds, and leaves, memory as if operations were done at once. */
  void settle() {
    if (Thread.currentThread() == computing) {
      synchronize();
    }
  }

  /** Makes the calling thread one of this device's. */
  void bind() {
    if (BOUND.get() != this) {
      check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
      BOUND.set(this);
    }
  }

  private int attribute(int which) {
    int[] value = new int[1];
    check(JCudaDriver.cuDeviceGetAttribute(value, which, device), "cuDeviceGetAttribute");
    return value[0];
  }

  String name() {
    return name;
  }

  private String readName() {
    byte[] name = new byte[256];
    check(JCudaDriver.cuDeviceGetName(name, name.length, device), "cuDeviceGetName");
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    return new String(name, 0, length, java.nio.charset.StandardCharsets.UTF_8);
  }

  /** Bytes of memory in all. */
  long memoryBytes() {
    return memoryBytes;
  }

  /** Bytes of memory that are free by the driver's count; 0 once the device is lost. */
  long availableBytes() {
    try {
      return loss == null ? memoryInfo()[0] : 0;
    } catch (CudaException e) {
      loss = new DeviceLostException(ordinal, name, e.getMessage());
      return 0;
    }
  }

  /** Bytes of memory: free, and in all. */
  private long[] memoryInfo() {
    bind();
    long[] free = new long[1];
    long[] total = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo");
    return new long[] {free[0], total[0]};
  }

  /** How the device was lost, or null. */
  DeviceLostException loss() {
    return loss;
  }

  /**
   * Finds out whether the device is lost, after a call has failed: its context then answers every
   * call with the same error, even a wait for nothing or the question how much memory is free.
   */
  void examine() {
    try {
      if (loss == null) {
        bind();
        check(JCudaDriver.cuStreamSynchronize(zeroing), "cuStreamSynchronize");
      }
    } catch (CudaException e) {
      loss = new DeviceLostException(ordinal, name, e.getMessage());
    }
    var unused = availableBytes();
  }

  /**
   * Runs what uses the device.
   *
   * @throws DeviceLostException if it fails because the device is lost
   */
  <T> T using(Supplier<T> work) {
    try {
      return work.get();
    } catch (CudaException e) {
      examine();
      throw loss == null ? e : loss;
    }
  }

  /** Gives something back. A lost device refuses that, and has nothing left to be given back. */
  void giveBack(Runnable call) {
    if (loss != null) {
      return;
    }
    try {
      call.run();
    } catch (CudaException e) {
      examine();
      if (loss == null) {
        throw e;
      }
    }
  }

  /**
   * Uninitialised device memory.
   *
   * @throws OutOfDeviceMemoryException if it does not fit
   */
  long allocate(String owner, long bytes) {
    bind();
    Cuda.Address address = new Cuda.Address();
    int status;
    try {
      status = JCudaDriver.cuMemAlloc(address, Math.max(bytes, 1));
    } catch (CudaException e) {
      if (!Cuda.isOutOfMemory(e)) {
        throw e;
      }
      status = CUresult.CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      throw new OutOfDeviceMemoryException(owner, bytes, memoryInfo()[0]);
    }
    check(status, "cuMemAlloc");
    return address.value();
  }

  /**
   * Zeroes elements, for all streams: a plain cuMemset returns before it is done, and other streams
   * do not wait for it.
   */
  synchronized void zero(long address, long floats) {
    bind();
    check(JCudaDriver.cuMemsetD32Async(Cuda.at(address), 0, floats, zeroing), "cuMemsetD32Async");
    check(JCudaDriver.cuStreamSynchronize(zeroing), "cuStreamSynchronize");
  }

  void free(long address) {
    bind();
    check(JCudaDriver.cuMemFree(Cuda.at(address)), "cuMemFree");
  }

  /** Waits for the steps' stream. */
  void synchronize() {
    bind();
    check(JCudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
  }

  /** Gives everything back after a failure, to which what fails now is added. */
  void closeAfter(Throwable failure) {
    try {
      close();
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  /** Gives everything back, and goes on where something fails. */
  @Override
  public void close() {
    RuntimeException failure = null;
    giveBack(this::bind);
    while (!undo.isEmpty()) {
      try {
        giveBack(undo.pop());
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    BOUND.remove();
    if (failure != null) {
      throw failure;
    }
  }
}
