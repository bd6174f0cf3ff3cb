package io.muond.kernels;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/**
 * The first CUDA device, real or emulated, with the kernels loaded: whatever libcuda.so.1 the
 * loader finds (LD_LIBRARY_PATH, or -Dmuond.cuda.libraries=DIR for Maven). Frees everything at its
 * end.
 */
final class Device implements AutoCloseable {
  private static String missing;

  private final CUdevice device = new CUdevice();
  private final CUcontext context = new CUcontext();
  private final CUstream stream = new CUstream();
  private final List<CUdeviceptr> allocations = new ArrayList<>();
  private final Kernels kernels;

  private Device() {
    check(JCudaDriver.cuDeviceGet(device, 0));
    check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device));
    check(JCudaDriver.cuCtxSetCurrent(context));
    check(JCudaDriver.cuStreamCreate(stream, 1));
    int[] processors = new int[1];
    int attribute = CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
    check(JCudaDriver.cuDeviceGetAttribute(processors, attribute, device));
    kernels = new Kernels(processors[0]);
  }

  /** Skips the test, with one line for all of them, where there is no device. */
  static Device open() {
    if (missing == null) {
      missing = whatIsMissing();
      if (!missing.isEmpty()) {
        System.out.println("Kernels not run: " + missing);
      }
    }
    assumeTrue(missing.isEmpty(), missing);
    return new Device();
  }

  private static String whatIsMissing() {
    try {
      JCudaDriver.setExceptionsEnabled(true);
      JCudaDriver.cuInit(0);
      int[] count = new int[1];
      JCudaDriver.cuDeviceGetCount(count);
      return count[0] == 0 ? "no CUDA device" : "";
    } catch (UnsatisfiedLinkError | jcuda.CudaException e) {
      String message = String.valueOf(e.getMessage());
      boolean absent = message.contains("libcuda.so.1");
      return absent ? "no libcuda.so.1 (-Dmuond.cuda.libraries=DIR names its folder)" : message;
    }
  }

  private static void check(int status) {
    if (status != 0) {
      throw new IllegalStateException("status " + status);
    }
  }

  Kernels kernels() {
    return kernels;
  }

  CUstream stream() {
    return stream;
  }

  /** Uninitialised bytes, at the address that is returned. */
  long allocate(long bytes) {
    Address address = new Address();
    check(JCudaDriver.cuMemAlloc(address, bytes));
    allocations.add(address);
    return address.value();
  }

  /** The same, and the test is skipped if the device has no room. */
  long allocateIfItFits(long bytes) {
    try {
      return allocate(bytes);
    } catch (jcuda.CudaException e) {
      assumeTrue(!e.getMessage().contains("OUT_OF_MEMORY"), "no room for " + bytes + " bytes");
      throw e;
    }
  }

  /** Tells its number, which {@link CUdeviceptr} keeps to itself. */
  private static final class Address extends CUdeviceptr {
    long value() {
      return getNativePointer();
    }
  }

  private static CUdeviceptr at(long address) {
    return new CUdeviceptr().withByteOffset(address);
  }

  void write(long address, float[] from, int offset, int length) {
    Pointer source = Pointer.to(from).withByteOffset(4L * offset);
    check(JCudaDriver.cuMemcpyHtoD(at(address), source, 4L * length));
  }

  void write(long address, byte[] from) {
    check(JCudaDriver.cuMemcpyHtoD(at(address), Pointer.to(from), from.length));
  }

  /** New float64 numbers in device memory. */
  long scalars(double... values) {
    long address = allocate(8L * values.length);
    check(JCudaDriver.cuMemcpyHtoD(at(address), Pointer.to(values), 8L * values.length));
    return address;
  }

  /** A new int64 in device memory. */
  long integer(long value) {
    long address = allocate(8);
    check(JCudaDriver.cuMemcpyHtoD(at(address), Pointer.to(new long[] {value}), 8));
    return address;
  }

  void read(long address, float[] to, int offset, int length) {
    synchronize();
    Pointer target = Pointer.to(to).withByteOffset(4L * offset);
    check(JCudaDriver.cuMemcpyDtoH(target, at(address), 4L * length));
  }

  double[] doubles(long address, int length) {
    synchronize();
    double[] to = new double[length];
    check(JCudaDriver.cuMemcpyDtoH(Pointer.to(to), at(address), 8L * length));
    return to;
  }

  long[] longs(long address, int length) {
    synchronize();
    long[] to = new long[length];
    check(JCudaDriver.cuMemcpyDtoH(Pointer.to(to), at(address), 8L * length));
    return to;
  }

  byte[] bytes(long address, int length) {
    synchronize();
    byte[] to = new byte[length];
    check(JCudaDriver.cuMemcpyDtoH(Pointer.to(to), at(address), length));
    return to;
  }

  private void synchronize() {
    check(JCudaDriver.cuStreamSynchronize(stream));
  }

  @Override
  public void close() {
    synchronize();
    kernels.close();
    for (CUdeviceptr allocation : allocations) {
      check(JCudaDriver.cuMemFree(allocation));
    }
    check(JCudaDriver.cuStreamDestroy(stream));
    check(JCudaDriver.cuDevicePrimaryCtxRelease(device));
  }
}
