package io.muond.kernels;

import java.util.Arrays;
import jcuda.driver.CUstream;

/** Numbers in float64 on the device, and the start of power iteration. */
public final class ScalarKernels {
  private static final int AT_ONCE = 256;

  private final Module module;
  private final int multiprocessors;

  ScalarKernels(Module module, int multiprocessors) {
    this.module = module;
    this.multiprocessors = multiprocessors;
  }

  /**
   * to[i] ← values[i]. They travel as kernel arguments, so a captured launch keeps them for good.
   */
  public void setScalars(CUstream stream, double[] values, long to) {
    for (int from = 0; from < values.length; from += AT_ONCE) {
      int length = Math.min(AT_ONCE, values.length - from);
      double[] some = Arrays.copyOf(Arrays.copyOfRange(values, from, from + length), AT_ONCE);
      Arguments arguments = new Arguments().f64(some).i32(length).i64(to + 8L * from);
      module.launch(stream, "setScalars", 1, AT_ONCE, arguments);
    }
  }

  /** s_k ← x_k / y_k, or 0 where y_k is 0; all are scalars, s may be x or y. */
  public void quotient(CUstream stream, int count, long x, long y, long s) {
    Arguments arguments = new Arguments().i64(count).i64(x).i64(y).i64(s);
    module.launch(stream, "quotient", Walk.ceilDiv(count, Walk.THREADS), Walk.THREADS, arguments);
  }

  /** s_k ← 0 where it is at most relative · of_k; both are scalars. */
  public void zeroRounding(CUstream stream, int count, double relative, long of, long s) {
    Arguments arguments = new Arguments().i64(count).f64(relative).i64(of).i64(s);
    long blocks = Walk.ceilDiv(count, Walk.THREADS);
    module.launch(stream, "zeroRounding", blocks, Walk.THREADS, arguments);
  }

  /**
   * v ← the vector that power iteration starts from: (float) (0.5 + the i-th {@code
   * SplittableRandom(1).nextDouble()}), the same for every matrix; v is n × 1.
   */
  public void powerStart(CUstream stream, Batch v) {
    if (v.cols() != 1) {
      throw new IllegalArgumentException("v: " + v + " (expected: one column)");
    }
    Arguments arguments = new Arguments().i64(v.count()).i64(v.rows()).batches(v);
    module.launch(
        stream, "powerStart", Walk.blocks(v.lines(), multiprocessors), Walk.THREADS, arguments);
  }
}
