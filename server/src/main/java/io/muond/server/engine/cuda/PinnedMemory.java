package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.check;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/**
 * Host memory that a device reaches by itself: what asynchronous copies need. Lasts as long as the
 * device.
 */
final class PinnedMemory {
  private static final int MAPPED = JCudaDriver.CU_MEMHOSTALLOC_DEVICEMAP;

  private final Pointer pointer = new Pointer();
  private final ByteBuffer bytes;
  private final long address;

  /**
   * Memory for copies, which kernels may reach as well.
   *
   * @throws CudaException if the host has none, naming the bytes
   */
  PinnedMemory(CudaDevice device, int size) {
    device.bind();
    try {
      check(JCudaDriver.cuMemHostAlloc(pointer, size, MAPPED), "cuMemHostAlloc");
    } catch (CudaException e) {
      throw new CudaException(
          Cuda.isOutOfMemory(e)
              ? "no " + size + " bytes of page-locked host memory"
              : e.getMessage(),
          e);
    }
    device.onClose(() -> check(JCudaDriver.cuMemFreeHost(pointer), "cuMemFreeHost"));
    Cuda.Address mapped = new Cuda.Address();
    check(JCudaDriver.cuMemHostGetDevicePointer(mapped, pointer, 0), "cuMemHostGetDevicePointer");
    address = mapped.value();
    bytes = pointer.getByteBuffer(0, size).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Where kernels find it. */
  long address() {
    return address;
  }

  Pointer pointer() {
    return pointer;
  }

  /** All of it, little-endian; position and limit are the caller's. */
  ByteBuffer bytes() {
    return bytes;
  }
}
