package io.muond.kernels;

import io.muond.kernels.Walk.Join;
import jcuda.driver.CUstream;

/**
 * Element-wise operations on float32 matrices of one shape, in one pass; the result may be an
 * operand, and otherwise must not overlap one. Scalars are device pointers to float64, one number
 * per matrix. Launches only: nothing is waited for.
 */
public final class ElementwiseKernels {
  private final Module module;
  private final int multiprocessors;

  ElementwiseKernels(Module module, int multiprocessors) {
    this.module = module;
    this.multiprocessors = multiprocessors;
  }

  /**
   * y_k ← alpha · alphas_k · x_k + beta · y_k; with beta = 0, y is not read.
   *
   * @param alphas scalars, or 0 for ones
   */
  public void combine(CUstream stream, double alpha, long alphas, Batch x, double beta, Batch y) {
    Walk walk = Walk.of(alphas == 0 ? Join.ROWS_AND_MATRICES : Join.ROWS, x, y);
    Arguments arguments = start(walk).f64(alpha).i64(alphas).batches(x).f32(beta).batches(y);
    launch(stream, "combine", walk, arguments);
  }

  /** y_k ← x_k / s_k, or 0 where s_k is 0. */
  public void divide(CUstream stream, Batch x, long s, Batch y) {
    Walk walk = Walk.of(Join.ROWS, x, y);
    launch(stream, "divide", walk, start(walk).batches(x).i64(s).batches(y));
  }

  /** y_k ← x_k where s_k is 0. */
  public void copyWhereZero(CUstream stream, long s, Batch x, Batch y) {
    Walk walk = Walk.of(Join.ROWS, x, y);
    launch(stream, "copyWhereZero", walk, start(walk).i64(s).batches(x, y));
  }

  /** x ← 0. */
  public void zero(CUstream stream, Batch x) {
    Walk walk = Walk.of(Join.ROWS_AND_MATRICES, x);
    launch(stream, "zero", walk, start(walk).batches(x));
  }

  /** y_k ← y_k / max(1, √s_k). */
  public void capBySquareRoot(CUstream stream, long s, Batch y) {
    Walk walk = Walk.of(Join.ROWS, y);
    launch(stream, "capBySquareRoot", walk, start(walk).i64(s).batches(y));
  }

  /** p ← f^{−1/4} (a I + b f^{−1/2} s + c f^{−1} s2), or 0 where f is 0; all square. */
  public void scaledPolynomial(
      CUstream stream, double a, double b, double c, long f, Batch s, Batch s2, Batch p) {
    Batch.requireSquare(s, s2, p);
    Walk walk = Walk.of(Join.NOTHING, s, s2, p);
    Arguments arguments = start(walk).f64(a).f64(b).f64(c).i64(f).batches(s, s2, p);
    launch(stream, "scaledPolynomial", walk, arguments);
  }

  /**
   * g ← beta · m + g; taken ← g, or with Nesterov's look-ahead (1 + beta) · g − beta · m. Taken is
   * neither g nor m.
   */
  public void momentum(
      CUstream stream, double beta, boolean nesterov, Batch g, Batch m, Batch taken) {
    Walk walk = Walk.of(Join.ROWS_AND_MATRICES, g, m, taken);
    Arguments arguments = start(walk).f32(beta).f32(1 + beta).i32(nesterov ? 1 : 0);
    launch(stream, "momentum", walk, arguments.batches(g, m, taken));
  }

  /** x ← x + delta · I, x square. */
  public void addIdentity(CUstream stream, double delta, Batch x) {
    Batch.requireSquare(x);
    module.launch(
        stream,
        "addIdentity",
        Walk.blocks(x.lines(), multiprocessors),
        Walk.THREADS,
        new Arguments().i64(x.count()).i64(x.rows()).f32(delta).batches(x));
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
