package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.checkBlas;

import io.muond.kernels.PointerKernels;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import java.util.stream.Stream;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.CUstream;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.cudaStream_t;

/**
 * Matrix products by cuBLAS on the steps' stream, with a handle and a workspace of their own.
 * cuBLAS counts by columns: what it is told of are the transposes of the row-major matrices in
 * memory.
 */
final class Gemm {
  private static final int ALGORITHM = cublasGemmAlgo.CUBLAS_GEMM_DEFAULT;

  private final TilePointers pointers;
  private final cublasHandle handle = new cublasHandle();

  Gemm(CudaDevice device, CUstream stream, long workspaceBytes) {
    device.bind();
    long workspace = device.reserve("cuBLAS", workspaceBytes);
    checkBlas(JCublas2.cublasCreate(handle), "cublasCreate");
    device.onClose(() -> checkBlas(JCublas2.cublasDestroy(handle), "cublasDestroy"));
    pointers = new TilePointers(device, stream);
    int mode =
        cublasMath.CUBLAS_DEFAULT_MATH
            | cublasMath.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    checkBlas(JCublas2.cublasSetMathMode(handle, mode), "cublasSetMathMode");
    checkBlas(JCublas2.cublasSetStream(handle, new cudaStream_t(stream)), "cublasSetStream");
    checkBlas(
        JCublas2.cublasSetWorkspace(handle, Cuda.at(workspace), workspaceBytes),
        "cublasSetWorkspace");
  }

  /** Pointers that were made are not relied on any more. */
  void forget() {
    pointers.forget();
  }

  private static int computeType(Precision precision) {
    return precision == Precision.TF32
        ? cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32
        : cublasComputeType.CUBLAS_COMPUTE_32F;
  }

  private static int type(Matrices x) {
    return switch (x.type()) {
      case FLOAT32 -> cudaDataType.CUDA_R_32F;
      case FLOAT16 -> cudaDataType.CUDA_R_16F;
      case BFLOAT16 -> cudaDataType.CUDA_R_16BF;
    };
  }

  private static int operation(boolean transposed) {
    return transposed ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
  }

  private static Pointer scalar(double value) {
    return Pointer.to(new float[] {(float) value});
  }

  /** c ← α op(a) op(b) + β c. */
  record Product(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices c,
      Precision precision) {

    Product {
      ElementType operands = precision.operands();
      if (a.type() != operands || b.type() != operands) {
        throw new IllegalArgumentException(
            "operands: " + a.type() + ", " + b.type() + " (expected: " + operands + ")");
      }
    }

    private int depth() {
      return aT ? a.rows() : a.cols();
    }

    /** Whether the left operand's memory is to be transposed. */
    private boolean aTurned() {
      return aT ^ a.transposed();
    }

    private boolean bTurned() {
      return bT ^ b.transposed();
    }

    /** The same product, with a result that does not lie transposed. */
    private Product upright() {
      return c.transposed()
          ? new Product(alpha, b, !bT, a, !aT, beta, c.transpose(), precision)
          : this;
    }

    /** Rows [from, from + height) of the result, up to the diagonal. */
    private Product row(int from, int height) {
      int width = from + height;
      Matrices left = aT ? a.block(0, from, depth(), height) : a.block(from, 0, height, depth());
      Matrices right = bT ? b.block(0, 0, width, depth()) : b.block(0, 0, depth(), width);
      Matrices to = c.block(from, 0, height, width);
      return new Product(alpha, left, aT, right, bT, beta, to, precision);
    }
  }

  void product(Product given) {
    Product p = given.upright();
    checkBlas(
        JCublas2.cublasGemmStridedBatchedEx_new(
            handle,
            operation(p.bTurned()),
            operation(p.aTurned()),
            p.c.cols(),
            p.c.rows(),
            p.depth(),
            scalar(p.alpha),
            Cuda.at(Views.address(p.b)),
            type(p.b),
            p.b.ld(),
            p.b.stride(),
            Cuda.at(Views.address(p.a)),
            type(p.a),
            p.a.ld(),
            p.a.stride(),
            scalar(p.beta),
            Cuda.at(Views.address(p.c)),
            type(p.c),
            p.c.ld(),
            p.c.stride(),
            p.c.count(),
            computeType(p.precision),
            ALGORITHM),
        "cublasGemmStridedBatchedEx");
  }

  /**
   * The blocks on and below the diagonal of a square result that does not lie transposed; of what
   * is above it some may be written too.
   */
  void lowerHalf(Product p) {
    int n = p.c.rows();
    int across = Halves.across(n);
    int side = (n + across - 1) / across;
    if (across == 1) {
      product(p);
    } else if (n % across == 0 && fitTensorCores(p, side)) {
      tiles(p, across, side);
    } else {
      // Tiles would differ in size, or not begin where they must: block row by block row.
      for (int from = 0; from < n; from += side) {
        product(p.row(from, Math.min(side, n - from)));
      }
    }
  }

  /**
   * Whether every tile begins on a boundary of 16 bytes, as tensor cores demand of the pointers of
   * a batched call: these lie on the device, where cuBLAS cannot look for what suits them.
   */
  private static boolean fitTensorCores(Product p, int side) {
    return p.precision == Precision.FLOAT32
        || Stream.of(p.a, p.b, p.c)
            .allMatch(
                x -> {
                  long places = x.stride() | x.ld() | side;
                  return (Views.address(x) | places * x.type().bytes()) % 16 == 0;
                });
  }

  /** Tiles of one size, all of them in one call. */
  private void tiles(Product p, int across, int side) {
    int tiles = across * (across + 1) / 2;
    int all = Math.multiplyExact(tiles, p.c.count());
    long first =
        pointers.of(
            new TilePointers.Tiles(
                p.c.count(),
                tiles,
                blocks(p.a, p.aTurned() ? side : (long) side * p.a.ld()),
                blocks(p.b, p.bTurned() ? (long) side * p.b.ld() : side),
                blocks(p.c, (long) side * p.c.ld()),
                (long) p.c.type().bytes() * side));
    long bytes = (long) Long.BYTES * all;
    checkBlas(
        JCublas2.cublasGemmBatchedEx_new(
            handle,
            operation(p.bTurned()),
            operation(p.aTurned()),
            side,
            side,
            p.depth(),
            scalar(p.alpha),
            Cuda.at(first + bytes),
            type(p.b),
            p.b.ld(),
            Cuda.at(first),
            type(p.a),
            p.a.ld(),
            scalar(p.beta),
            Cuda.at(first + 2 * bytes),
            type(p.c),
            p.c.ld(),
            all,
            computeType(p.precision),
            ALGORITHM),
        "cublasGemmBatchedEx");
  }

  private static PointerKernels.Blocks blocks(Matrices x, long elements) {
    return new PointerKernels.Blocks(
        Views.address(x), x.type().bytes() * x.stride(), x.type().bytes() * elements);
  }
}
