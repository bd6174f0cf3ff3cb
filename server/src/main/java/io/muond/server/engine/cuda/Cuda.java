package io.muond.server.engine.cuda;

import jcuda.CudaException;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasStatus;

/** What every class here needs of JCuda. */
final class Cuda {
  /**
   * What {@code cuDriverGetVersion} must answer: libcublas.so.12 needs that of CUDA 12.0, and a
   * function that an older one does not have would end the process.
   */
  static final int LEAST_DRIVER = 12000;

  private Cuda() {}

  /**
   * Loads the libraries and the driver: the driver first, since without it nothing else matters.
   *
   * @throws UnsatisfiedLinkError where libcuda.so.1 or libcublas.so.12 is missing
   * @throws CudaUnavailableException where the driver is too old
   * @throws CudaException where there is no device
   */
  static void initialize() throws CudaUnavailableException {
    JCudaDriver.setExceptionsEnabled(true);
    int[] version = new int[1];
    check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion");
    if (version[0] < LEAST_DRIVER) {
      throw new CudaUnavailableException(
          "the NVIDIA driver is for CUDA "
              + OpeningFailures.version(version[0])
              + " (expected: "
              + OpeningFailures.version(LEAST_DRIVER)
              + " or newer; update it)");
    }
    check(JCudaDriver.cuInit(0), "cuInit");
    JCublas2.setExceptionsEnabled(true);
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

  /** Whether what JCuda threw is a call's answer that memory is out. */
  static boolean isOutOfMemory(CudaException e) {
    return String.valueOf(e.getMessage()).contains("OUT_OF_MEMORY");
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
