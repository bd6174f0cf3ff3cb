package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.check;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/**
 * A stream, and what its operations leave for each other. The first lane is the device's own
 * stream; the others take branches of small batches, which alone would leave most of a device idle.
 * Lasts as long as the device.
 */
final class Lane {
  /** Of cuBLAS: what NVIDIA recommends for Hopper, the largest (cuBLAS documentation, 2.1.6). */
  private static final long WORKSPACE_BYTES = 32L << 20;

  /** Partial results of a launch are 1 MiB, or a number or two for each matrix of the most. */
  private static final long SCRATCH_BYTES = 32L << 20;

  /** The batches of a branch have at most half a million rows. */
  static final long BRANCH_BYTES = 8L << 20;

  private final CUstream stream;
  private final CUevent reached = new CUevent();
  private final DeviceScratch scratch;
  private final DeviceScratch kept;
  private final Gemm gemm;

  private Lane(CudaDevice device, CUstream stream, long scratchBytes, long gemmBytes) {
    this.stream = stream;
    int flags = CUevent_flags.CU_EVENT_DISABLE_TIMING;
    check(JCudaDriver.cuEventCreate(reached, flags), "cuEventCreate");
    device.onClose(() -> check(JCudaDriver.cuEventDestroy(reached), "cuEventDestroy"));
    scratch = new DeviceScratch(device, scratchBytes);
    kept = new DeviceScratch(device, scratchBytes);
    gemm = new Gemm(device, stream, gemmBytes);
  }

  /** The device's own stream. */
  static Lane main(CudaDevice device) {
    return new Lane(device, device.stream(), SCRATCH_BYTES, WORKSPACE_BYTES);
  }

  /** A stream for branches. */
  static Lane branch(CudaDevice device) {
    CUstream made = new CUstream();
    device.bind();
    device.create(made);
    return new Lane(device, made, BRANCH_BYTES, BRANCH_BYTES);
  }

  CUstream stream() {
    return stream;
  }

  /** For one launch and its second stage. */
  DeviceScratch scratch() {
    return scratch;
  }

  /** For what several launches of one operation share. */
  DeviceScratch kept() {
    return kept;
  }

  Gemm gemm() {
    return gemm;
  }

  /** Marks what this lane has been asked for until now. */
  void mark() {
    check(JCudaDriver.cuEventRecord(reached, stream), "cuEventRecord");
  }

  /** What follows here comes after the other lane's mark. */
  void await(Lane other) {
    check(JCudaDriver.cuStreamWaitEvent(stream, other.reached, 0), "cuStreamWaitEvent");
  }

  void synchronize() {
    check(JCudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
  }
}
