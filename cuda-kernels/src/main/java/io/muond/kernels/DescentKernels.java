package io.muond.kernels;

import io.muond.kernels.Walk.Join;
import jcuda.driver.CUstream;

/**
 * Steps of float32 matrices without a constraint, element by element, in one pass; operands have
 * one shape and do not overlap but where they are the same. Launches only: nothing is waited for.
 */
public final class DescentKernels {
  private final Module module;
  private final int multiprocessors;

  DescentKernels(Module module, int multiprocessors) {
    this.module = module;
    this.multiprocessors = multiprocessors;
  }

  /** y ← the signs of x: −1, 0 or 1; y may be x. */
  public void signs(CUstream stream, Batch x, Batch y) {
    Walk walk = Walk.of(Join.ROWS_AND_MATRICES, x, y);
    launch(stream, "signs", walk, start(walk).batches(x, y));
  }

  /**
   * y_k ← keep_k · w_k − step_k · a_k; where the second term is 0, nothing is added to the first. y
   * may be w or a.
   *
   * @param keep device pointer to float64, one number per matrix
   * @param step the same
   */
  public void descend(CUstream stream, long keep, long step, Batch w, Batch a, Batch y) {
    Walk walk = Walk.of(Join.ROWS, w, a, y);
    launch(stream, "descend", walk, start(walk).i64(keep).i64(step).batches(w, a, y));
  }

  /**
   * AdamW's moments and direction: g ← m' = beta1 · m + (1 − beta1) · g, next ← v' = beta2 · v + (1
   * − beta2) · g², a ← c1 · m' / (√(c2 · v') + epsilon), NaN where v' overflows.
   *
   * @param beta1 rounded to float32, in which the difference from 1 is taken
   * @param beta2 the same
   * @param corrections device pointer to c1 and √c2, float64
   */
  public void adamw(
      CUstream stream,
      double beta1,
      double beta2,
      double epsilon,
      long corrections,
      Batch m,
      Batch v,
      Batch g,
      Batch next,
      Batch a) {
    Walk walk = Walk.of(Join.ROWS_AND_MATRICES, m, v, g, next, a);
    Arguments arguments = start(walk).f32(beta1).f32(beta2).f32(epsilon).i64(corrections);
    launch(stream, "adamw", walk, arguments.batches(m, v, g, next, a));
  }

  private Arguments start(Walk walk) {
    return new Arguments().i64(walk.argument(blocks(walk) * Walk.THREADS));
  }

  private long blocks(Walk walk) {
    return Walk.blocks(walk.packs(), multiprocessors);
  }

  private void launch(CUstream stream, String kernel, Walk walk, Arguments arguments) {
    module.launch(stream, kernel, blocks(walk), Walk.THREADS, arguments);
  }
}
