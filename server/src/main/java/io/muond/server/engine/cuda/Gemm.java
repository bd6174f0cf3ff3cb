package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.checkBlas;

import io.muond.kernels.PointerKernels;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.cudaStream_t;

/**
 * Matrix products by cuBLAS on the steps' stream, with a handle and a workspace of their own.
 * cuBLAS counts by columns: what it is told of are the transposes of the row-major matrices in
 * memory.
 */
final class Gemm implements AutoCloseable {
  /** Of cuBLAS: what NVIDIA recommends for Hopper, the largest (cuBLAS documentation, 2.1.6). */
  private static final long WORKSPACE_BYTES = 32L << 20;

  private static final int ALGORITHM = cublasGemmAlgo.CUBLAS_GEMM_DEFAULT;
  private static final int FLOAT32 = cudaDataType.CUDA_R_32F;

  private final CudaDevice device;
  private final DeviceScratch scratch;
  private final cublasHandle handle = new cublasHandle();
  private final long workspace;

  Gemm(CudaDevice device, DeviceScratch scratch) {
    this.device = device;
    this.scratch = scratch;
    device.bind();
    checkBlas(JCublas2.cublasCreate(handle), "cublasCreate");
    workspace = device.allocate("cuBLAS", WORKSPACE_BYTES);
    checkBlas(
        JCublas2.cublasSetStream(handle, new cudaStream_t(device.stream())), "cublasSetStream");
    checkBlas(
        JCublas2.cublasSetWorkspace(handle, Cuda.at(workspace), WORKSPACE_BYTES),
        "cublasSetWorkspace");
  }

  private static int computeType(Precision precision) {
    return switch (precision) {
      case FLOAT32 -> cublasComputeType.CUBLAS_COMPUTE_32F;
      case TF32 -> cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32;
      case FLOAT16, BFLOAT16 -> throw new IllegalArgumentException("precision: " + precision);
    };
  }

  private static int operation(boolean transposed) {
    return transposed ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
  }

  private static Pointer scalar(double value) {
    return Pointer.to(new float[] {(float) value});
  }

  /** c ← α op(a) op(b) + β c. */
  void product(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices c,
      Precision precision) {
    if (c.transposed()) {
      product(alpha, b, !bT, a, !aT, beta, c.transpose(), precision);
      return;
    }
    int depth = aT ? a.rows() : a.cols();
    checkBlas(
        JCublas2.cublasGemmStridedBatchedEx_new(
            handle,
            operation(bT ^ b.transposed()),
            operation(aT ^ a.transposed()),
            c.cols(),
            c.rows(),
            depth,
            scalar(alpha),
            Cuda.at(Views.address(b)),
            FLOAT32,
            b.ld(),
            b.stride(),
            Cuda.at(Views.address(a)),
            FLOAT32,
            a.ld(),
            a.stride(),
            scalar(beta),
            Cuda.at(Views.address(c)),
            FLOAT32,
            c.ld(),
            c.stride(),
            c.count(),
            computeType(precision),
            ALGORITHM),
        "cublasGemmStridedBatchedEx");
  }

  /**
   * The blocks on and below the diagonal of c ← α op(a) op(b) + β c, c square and not transposed;
   * of what is above it some may be written too.
   */
  void lowerHalf(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices c,
      Precision precision) {
    int n = c.rows();
    int across = Halves.across(n);
    if (across == 1) {
      product(alpha, a, aT, b, bT, beta, c, precision);
    } else if (n % across == 0) {
      tiles(alpha, a, aT, b, bT, beta, c, precision, across);
    } else {
      rows(alpha, a, aT, b, bT, beta, c, precision, across);
    }
  }

  /** Tiles of one size, all of them in one call. */
  private void tiles(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices c,
      Precision precision,
      int across) {
    boolean aTurned = aT ^ a.transposed();
    boolean bTurned = bT ^ b.transposed();
    int side = c.rows() / across;
    int tiles = across * (across + 1) / 2;
    int all = Math.multiplyExact(tiles, c.count());
    long pointers = scratch.take(PointerKernels.bytes(c.count(), tiles));
    device
        .kernels()
        .pointers()
        .tiles(
            device.stream(),
            c.count(),
            tiles,
            blocks(a, aTurned ? side : (long) side * a.ld()),
            blocks(b, bTurned ? (long) side * b.ld() : side),
            blocks(c, (long) side * c.ld()),
            (long) Float.BYTES * side,
            pointers);
    long bytes = (long) Long.BYTES * all;
    checkBlas(
        JCublas2.cublasGemmBatchedEx_new(
            handle,
            operation(bTurned),
            operation(aTurned),
            side,
            side,
            aT ? a.rows() : a.cols(),
            scalar(alpha),
            Cuda.at(pointers + bytes),
            FLOAT32,
            b.ld(),
            Cuda.at(pointers),
            FLOAT32,
            a.ld(),
            scalar(beta),
            Cuda.at(pointers + 2 * bytes),
            FLOAT32,
            c.ld(),
            all,
            computeType(precision),
            ALGORITHM),
        "cublasGemmBatchedEx");
  }

  private static PointerKernels.Blocks blocks(Matrices x, long elements) {
    return new PointerKernels.Blocks(
        Views.address(x), Float.BYTES * x.stride(), Float.BYTES * elements);
  }

  /** Tiles of different sizes: block row by block row. */
  private void rows(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices c,
      Precision precision,
      int across) {
    int n = c.rows();
    int side = (n + across - 1) / across;
    int depth = aT ? a.rows() : a.cols();
    for (int from = 0; from < n; from += side) {
      int height = Math.min(side, n - from);
      Matrices left = aT ? a.block(0, from, depth, height) : a.block(from, 0, height, depth);
      int width = from + height;
      Matrices right = bT ? b.block(0, 0, width, depth) : b.block(0, 0, depth, width);
      product(alpha, left, aT, right, bT, beta, c.block(from, 0, height, width), precision);
    }
  }

  @Override
  public void close() {
    device.bind();
    checkBlas(JCublas2.cublasDestroy(handle), "cublasDestroy");
    device.free(workspace);
  }
}
