import static jcuda.driver.JCudaDriver.*;
import static jcuda.jcublas.JCublas2.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.*;
import jcuda.jcublas.*;
import jcuda.runtime.cudaStream_t;

/** The real JCuda and JCublas on the emulated device: `make check-java` runs it. */
public class DriverSmoke {
  private static final int N = 32;
  private static final String FILL =
      """
      // fill.ptx
      .version 7.8
      .target sm_80
      .address_size 64
      .visible .entry fill(.param .u64 to, .param .f32 value)
      {
        .reg .b64 %rd<5>;
        .reg .b32 %r<2>;
        .reg .f32 %f<2>;
        ld.param.u64 %rd1, [to];
        ld.param.f32 %f1, [value];
        mov.u32 %r1, %tid.x;
        cvta.to.global.u64 %rd2, %rd1;
        mul.wide.u32 %rd3, %r1, 4;
        add.s64 %rd4, %rd2, %rd3;
        st.global.f32 [%rd4], %f1;
        ret;
      }
      """;

  private final CUdevice device = new CUdevice();
  private final CUstream stream = new CUstream();
  private final CUdeviceptr arena = new CUdeviceptr();
  private final Pointer in = new Pointer(), out = new Pointer();
  private final cublasHandle blas = new cublasHandle();
  private final CUmodule module = new CUmodule();

  public static void main(String[] arguments) {
    JCudaDriver.setExceptionsEnabled(true);
    JCublas2.setExceptionsEnabled(true);
    cuInit(0);
    DriverSmoke smoke = new DriverSmoke();
    smoke.open();
    smoke.replaysACapturedStep();
    smoke.isToldWhatIsWrong();
    smoke.close();
    System.out.println("JCuda and JCublas run on the emulated device");
  }

  private void open() {
    cuDeviceGet(device, 0);
    CUcontext context = new CUcontext();
    cuDevicePrimaryCtxRetain(context, device);
    cuCtxSetCurrent(context);
    cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
    cuMemAlloc(arena, 1 << 20);
    cuMemHostAlloc(in, 4 * N * N, 0);
    cuMemHostAlloc(out, 4 * N * N, 0);
    cublasCreate(blas);
    cublasSetStream(blas, new cudaStream_t(stream));
    cublasSetWorkspace(blas, arena.withByteOffset(1 << 19), 1 << 19);
    Pointer ptx = Pointer.to((FILL + "\0").getBytes());
    cuModuleLoadDataEx(module, ptx, 0, new int[0], Pointer.to(new int[0]));
  }

  /** C = 2 A Aᵀ + C with a row of A filled by a kernel, launched twice. */
  private void replaysACapturedStep() {
    CUdeviceptr a = arena, c = arena.withByteOffset(4 * N * N);
    CUfunction fill = new CUfunction();
    cuModuleGetFunction(fill, module, "fill");
    cuMemsetD8Async(c, (byte) 0, 4 * N * N, stream);
    cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    cuMemcpyHtoDAsync(a, in, 4 * N * N, stream);
    Pointer parameters = Pointer.to(Pointer.to(a), Pointer.to(new float[] {0.5f}));
    cuLaunchKernel(fill, 1, 1, 1, N, 1, 1, 0, stream, parameters, null);
    cublasGemmStridedBatchedEx_new(
        blas, cublasOperation.CUBLAS_OP_N, cublasOperation.CUBLAS_OP_T, N, N, N,
        Pointer.to(new float[] {2}), a, cudaDataType.CUDA_R_32F, N, 0,
        a, cudaDataType.CUDA_R_32F, N, 0,
        Pointer.to(new float[] {1}), c, cudaDataType.CUDA_R_32F, N, 0, 1,
        cublasComputeType.CUBLAS_COMPUTE_32F, cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
    cuMemcpyDtoHAsync(out, c, 4 * N * N, stream);
    CUgraph graph = new CUgraph();
    cuStreamEndCapture(stream, graph);
    CUgraphExec step = new CUgraphExec();
    cuGraphInstantiate(step, graph, 0);
    ByteBuffer sent = bytes(in), received = bytes(out);
    float expected = 0;
    for (int launch = 1; launch <= 2; launch++) {
      for (int i = 0; i < N * N; i++) {
        sent.putFloat(4 * i, launch * (i / N));
      }
      cuGraphLaunch(step, stream);
      demand(Float.isNaN(received.getFloat(0)), "nothing is there before the wait");
      cuStreamSynchronize(stream);
      for (int k = 0; k < N; k++) {
        float value = k == 0 ? 0.5f : launch * k;
        expected += 2 * value * value;
      }
      float last = received.getFloat(4 * (N * N - 1));
      demand(last == expected, last + " is not " + expected);
    }
    cuGraphExecDestroy(step);
    cuGraphDestroy(graph);
  }

  private void isToldWhatIsWrong() {
    try {
      cuMemcpyHtoDAsync(arena, Pointer.to(new float[4]), 16, stream);
      throw new AssertionError("a copy from a Java array went through");
    } catch (CudaException expected) {
      demand(expected.getMessage().equals("CUDA_ERROR_INVALID_VALUE"), expected.getMessage());
    }
    try {
      Pointer one = Pointer.to(new double[] {1});
      cublasDgemv(blas, 0, 1, 1, one, arena, 1, arena, 1, one, arena, 1);
      throw new AssertionError("a call that is not supported went through");
    } catch (CudaException expected) {
      demand(expected.getMessage().equals("CUBLAS_STATUS_NOT_SUPPORTED"), expected.getMessage());
    }
  }

  private void close() {
    cublasDestroy(blas);
    cuModuleUnload(module);
    cuMemFreeHost(in);
    cuMemFreeHost(out);
    cuMemFree(arena);
    cuStreamDestroy(stream);
    cuDevicePrimaryCtxRelease(device);
  }

  private static ByteBuffer bytes(Pointer pinned) {
    return pinned.getByteBuffer(0, 4 * N * N).order(ByteOrder.nativeOrder());
  }

  private static void demand(boolean holds, String message) {
    if (!holds) {
      throw new AssertionError(message);
    }
  }
}
