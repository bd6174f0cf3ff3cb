package io.muond.server.engine.cuda;

/**
 * Device memory for what an operation leaves for its own second half: partial sums, pointers.
 * Operations of one stream follow each other, so that all share it. Lasts as long as the device.
 */
final class DeviceScratch {
  private final long bytes;
  private final long address;

  DeviceScratch(CudaDevice device, long bytes) {
    this.bytes = bytes;
    address = device.reserve("kernels", bytes);
  }

  /** The address of so many bytes, until the next operation. */
  long take(long needed) {
    if (needed > bytes) {
      throw new IllegalArgumentException(
          "scratch: " + needed + " bytes (expected: at most " + bytes + ")");
    }
    return address;
  }
}
