package io.muond.server.engine;

import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.engine.cuda.CudaEngine;
import io.muond.server.engine.cuda.CudaUnavailableException;
import org.opentest4j.TestAbortedException;

/**
 * The engine under test: the CPU's, or with {@code -Dmuond.test.engine=cuda} that of whatever CUDA
 * device libcuda.so.1 gives.
 */
public final class TestEngines {
  private static final boolean CUDA = "cuda".equals(System.getProperty("muond.test.engine"));

  /** Loading its kernels takes a while, so all tests share it. */
  private static Engine cuda;

  private static String missing;

  private TestEngines() {}

  public static boolean isCuda() {
    return CUDA;
  }

  /**
   * An engine, to be given back to {@link #close}. A test that finds no device is skipped.
   *
   * @param threads of the CPU engine
   * @param memoryBytes of the CPU engine
   */
  public static Engine open(int threads, long memoryBytes) {
    return CUDA ? cuda() : new CpuEngine(threads, memoryBytes);
  }

  /** Fails if memory is still out. */
  public static void close(Engine engine) {
    if (!CUDA) {
      engine.close();
    } else if (engine.allocatedBytes() != 0) {
      throw new IllegalStateException(engine.allocatedBytes() + " bytes are still allocated");
    }
  }

  private static synchronized Engine cuda() {
    if (cuda == null && missing == null) {
      try {
        cuda = CudaEngine.open(0);
        Runtime.getRuntime().addShutdownHook(new Thread(cuda::close));
      } catch (CudaUnavailableException e) {
        missing = e.getMessage();
        System.out.println("CUDA engine not tested: " + missing);
      }
    }
    if (cuda == null) {
      throw new TestAbortedException(missing);
    }
    return cuda;
  }
}
