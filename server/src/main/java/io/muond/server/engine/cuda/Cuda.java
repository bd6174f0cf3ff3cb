package io.muond.server.engine.cuda;

import jcuda.CudaException;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasStatus;

/** What every class here needs of JCuda. */
final class Cuda {
  private Cuda() {}

  /**
   * Loads the libraries and the driver.
   *
   * @throws UnsatisfiedLinkError where libcuda.so.1 or libcublas.so.12 is missing
   * @throws CudaException where there is no device
   */
  static void initialize() {
    JCudaDriver.setExceptionsEnabled(true);
    JCublas2.setExceptionsEnabled(true);
    check(JCudaDriver.cuInit(0), "cuInit");
  }

  static int deviceCount() {
    int[] count = new int[1];
    check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount");
    return count[0];
  }

  /** JCuda throws by itself where it was told to; a status that it lets through is thrown here. */
  static void check(int status, String call) {
    if (status != CUresult.CUDA_SUCCESS) {
      throw new CudaException(call + ": " + CUresult.stringFor(status));
    }
  }

  /** The same for cuBLAS. */
  static void checkBlas(int status, String call) {
    if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
      throw new CudaException(call + ": " + cublasStatus.stringFor(status));
    }
  }

  /** A device address as JCuda takes it. */
  static CUdeviceptr at(long address) {
    return new CUdeviceptr().withByteOffset(address);
  }

  /** A pointer that tells its address, which JCuda's keep to themselves. */
  static final class Address extends CUdeviceptr {
    long value() {
      return getNativePointer();
    }
  }
}
