package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.check;

import jcuda.driver.JCudaDriver;

/** Brings numbers from the device to the host, after everything before them on the stream. */
final class NumberReader {
  private static final int AT_ONCE = 8192;

  private final CudaDevice device;
  private final PinnedMemory landing;

  NumberReader(CudaDevice device) {
    this.device = device;
    landing = new PinnedMemory(device, AT_ONCE * Double.BYTES);
  }

  /** Float64 numbers at a device address; waits for the stream. */
  double[] read(long address, int count) {
    if (count == 0) {
      device.synchronize();
    }
    double[] values = new double[count];
    for (int from = 0; from < count; from += AT_ONCE) {
      int length = Math.min(AT_ONCE, count - from);
      check(
          JCudaDriver.cuMemcpyDtoHAsync(
              landing.pointer(),
              Cuda.at(address + (long) Double.BYTES * from),
              (long) Double.BYTES * length,
              device.stream()),
          "cuMemcpyDtoHAsync");
      device.synchronize();
      landing.bytes().clear();
      landing.bytes().asDoubleBuffer().get(values, from, length);
    }
    return values;
  }
}
