package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.check;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/** Host memory that a device reaches by itself: what asynchronous copies need. */
final class PinnedMemory implements AutoCloseable {
  private final CudaDevice device;
  private final Pointer pointer = new Pointer();
  private final ByteBuffer bytes;

  PinnedMemory(CudaDevice device, int size) {
    this.device = device;
    device.bind();
    check(JCudaDriver.cuMemHostAlloc(pointer, size, 0), "cuMemHostAlloc");
    bytes = pointer.getByteBuffer(0, size).order(ByteOrder.LITTLE_ENDIAN);
  }

  Pointer pointer() {
    return pointer;
  }

  /** All of it, little-endian; position and limit are the caller's. */
  ByteBuffer bytes() {
    return bytes;
  }

  @Override
  public void close() {
    device.bind();
    check(JCudaDriver.cuMemFreeHost(pointer), "cuMemFreeHost");
  }
}
