package io.muond.server.engine.cuda;

/**
 * Device memory for what an operation leaves for its own second half: partial sums, pointers.
 * Operations of the one stream follow each other, so that all share it.
 */
final class DeviceScratch implements AutoCloseable {
  /** Partial results of a launch are 1 MiB, or a number for each row of the largest batches. */
  static final long BYTES = 32L << 20;

  private final CudaDevice device;
  private final long address;

  DeviceScratch(CudaDevice device) {
    this.device = device;
    address = device.allocate("kernels", BYTES);
  }

  /** The address of so many bytes, until the next operation. */
  long take(long bytes) {
    if (bytes > BYTES) {
      throw new IllegalArgumentException(
          "scratch: " + bytes + " bytes (expected: at most " + BYTES + ")");
    }
    return address;
  }

  @Override
  public void close() {
    device.free(address);
  }
}
