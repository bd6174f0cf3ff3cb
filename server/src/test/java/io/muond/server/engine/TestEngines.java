package io.muond.server.engine;

import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.engine.cuda.CudaEngine;
import io.muond.server.engine.cuda.CudaUnavailableException;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import org.opentest4j.TestAbortedException;

/**
 * The engine under test: the CPU's, or with {@code -Dmuond.test.engine=cuda} that of whatever CUDA
 * device libcuda.so.1 gives.
 */
public final class TestEngines {
  private static final boolean CUDA = "cuda".equals(System.getProperty("muond.test.engine"));

  private static final long SMALL = 64 << 20;

  /** Loading their kernels takes a while, so all tests share them. */
  private static final List<Engine> SHARED = new ArrayList<>();

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
    return CUDA ? cuda(0) : new CpuEngine(threads, memoryBytes);
  }

  /** Two engines, as {@link #open}. */
  public static List<Engine> openTwo() {
    return CUDA
        ? List.of(cuda(0), cuda(1))
        : List.of(new CpuEngine(1, SMALL), new CpuEngine(1, SMALL));
  }

  /**
   * Runs {@code action} while so many bytes of an engine's memory are taken: they are never
   * written, so that on an emulated device they cost nothing.
   */
  public static void whileTaken(Engine engine, long bytes, Runnable action) {
    if (!CUDA) {
      Memory taken = engine.allocate("test", bytes / Float.BYTES);
      try {
        action.run();
      } finally {
        taken.close();
      }
      return;
    }
    CUdeviceptr taken = new CUdeviceptr();
    engine.compute();
    JCudaDriver.cuMemAlloc(taken, bytes);
    try {
      action.run();
    } finally {
      engine.compute();
      JCudaDriver.cuMemFree(taken);
    }
  }

  /** Skips a test that asks for a CUDA device by itself, in another process, if there is none. */
  public static void requireDevice() {
    if (CUDA) {
      cuda(0);
    }
  }

  /** Fails if memory is still out. */
  public static void close(Engine engine) {
    close(engine, 0);
  }

  /** The same where {@code others} bytes were out before it was opened: the device is shared. */
  public static void close(Engine engine, long others) {
    if (!CUDA) {
      engine.close();
    } else if (engine.allocatedBytes() != others) {
      throw new IllegalStateException(
          engine.allocatedBytes() - others + " bytes are still allocated");
    }
  }

  private static synchronized Engine cuda(int ordinal) {
    while (SHARED.size() <= ordinal && missing == null) {
      try {
        Engine engine = CudaEngine.open(SHARED.size());
        Runtime.getRuntime().addShutdownHook(new Thread(engine::close));
        SHARED.add(engine);
      } catch (CudaUnavailableException e) {
        missing = e.getMessage();
        System.out.println("CUDA device " + SHARED.size() + " not tested: " + missing);
      }
    }
    if (SHARED.size() <= ordinal) {
      throw new TestAbortedException(missing);
    }
    return SHARED.get(ordinal);
  }
}
