package io.muond.kernels;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;

/** One PTX file, loaded in the context that is current. Owned by {@link Kernels}. */
final class Module implements AutoCloseable {
  /** Blocks that a grid may have along x. */
  private static final long MOST_BLOCKS = Integer.MAX_VALUE;

  /** Room for what the PTX compiler says of errors; it cuts what is longer. */
  private static final int LOG_BYTES = 2048;

  private final String name;
  private final CUmodule module = new CUmodule();
  private final Map<String, CUfunction> functions = new ConcurrentHashMap<>();
  private boolean closed;

  Module(String name) {
    this.name = name;
    load(ptx(name));
  }

  /** Compiles the text for the device; a failure tells what the compiler had to say. */
  private void load(byte[] text) {
    JITOptions options = new JITOptions();
    options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, LOG_BYTES);
    options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, new byte[LOG_BYTES]);
    try {
      check(
          JCudaDriver.cuModuleLoadDataJIT(module, Pointer.to(text), options), "cuModuleLoadDataEx");
    } catch (CudaException e) {
      String log = options.getString(CUjit_option.CU_JIT_ERROR_LOG_BUFFER).strip();
      String said = log.isEmpty() ? "" : ": " + log;
      throw new CudaException(name + ".ptx does not load: " + e.getMessage() + said, e);
    }
  }

  /** The text of a PTX file, ended by a zero byte. */
  static byte[] ptx(String name) {
    try (InputStream in = Module.class.getResourceAsStream(name + ".ptx")) {
      if (in == null) {
        throw new IllegalStateException("no resource " + name + ".ptx beside " + Module.class);
      }
      byte[] text = in.readAllBytes();
      return java.util.Arrays.copyOf(text, text.length + 1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A block per item, or as many as a grid can have: kernels go on from there. */
  void launch(CUstream stream, String kernel, long items, int threads, Arguments arguments) {
    int blocks = (int) Math.max(1, Math.min(items, MOST_BLOCKS));
    int status =
        JCudaDriver.cuLaunchKernel(
            function(kernel), blocks, 1, 1, threads, 1, 1, 0, stream, arguments.pointer(), null);
    check(status, "kernel " + kernel);
  }

  private CUfunction function(String kernel) {
    return functions.computeIfAbsent(
        kernel,
        key -> {
          CUfunction function = new CUfunction();
          check(
              JCudaDriver.cuModuleGetFunction(function, module, key),
              "kernel " + key + " of " + name + ".ptx");
          return function;
        });
  }

  private static void check(int status, String what) {
    if (status != CUresult.CUDA_SUCCESS) {
      throw new CudaException(what + ": " + CUresult.stringFor(status));
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      check(JCudaDriver.cuModuleUnload(module), name + ".ptx");
    }
  }
}
