package io.muond.kernels;

import io.muond.kernels.Walk.Join;
import jcuda.driver.CUstream;

/**
 * Operands of tensor cores: matrices of 16-bit elements, bfloat16 or float16 as {@code type} says,
 * made of float32 ones and turned back, and what msign does to them between its products. Rounding
 * is to nearest, ties to even. Scalars are device pointers to float64, one number per matrix.
 */
public final class HalfKernels {
  private final Module module;
  private final int multiprocessors;

  HalfKernels(Module module, int multiprocessors) {
    this.module = module;
    this.multiprocessors = multiprocessors;
  }

  /**
   * y_k ← alpha · x_k / s_k rounded, or 0 where s_k is 0.
   *
   * @param s scalars, or 0 for ones
   * @param x float32
   */
  public void toHalf(CUstream stream, WireType type, double alpha, long s, Batch x, Batch y) {
    Walk walk = walk(s == 0 ? Join.ROWS_AND_MATRICES : Join.ROWS, x, y);
    launch(stream, "toHalf", walk, start(walk, type).f64(alpha).i64(s).batches(x, y));
  }

  /**
   * y ← x widened.
   *
   * @param y float32
   */
  public void fromHalf(CUstream stream, WireType type, Batch x, Batch y) {
    Walk walk = walk(Join.ROWS_AND_MATRICES, y, x);
    launch(stream, "fromHalf", walk, start(walk, type).batches(x, y));
  }

  /** high + 2⁻¹¹ · low ← x in float16, to 22 bits; |x| is below 65520. */
  public void splitHalf(CUstream stream, Batch x, Batch high, Batch low) {
    Walk walk = walk(Join.ROWS_AND_MATRICES, x, high, low);
    launch(stream, "splitHalf", walk, start(walk).batches(x, high, low));
  }

  /**
   * p ← f^{−1/4} (a I + b f^{−1/2} s + c f^{−1} s2), or 0 where f is 0; all square.
   *
   * @param s2 float32
   * @param p may be s
   */
  public void scaledPolynomial(
      CUstream stream,
      WireType type,
      double a,
      double b,
      double c,
      long f,
      Batch s,
      Batch s2,
      Batch p) {
    Batch.requireSquare(s, s2, p);
    Walk walk = walk(Join.NOTHING, s2, s, p);
    Arguments arguments = start(walk, type).f64(a).f64(b).f64(c).i64(f).batches(s, s2, p);
    launch(stream, "scaledPolynomialHalf", walk, arguments);
  }

  /** As {@link SquareKernels#mirrorSymmetric}, of 16-bit elements. */
  public void mirrorSymmetric(
      CUstream stream, WireType type, Batch c, double beta, Batch e, double delta) {
    Batch.requireSquare(c, e == null ? c : e);
    Arguments arguments = SquareKernels.start(c).i32(code(type)).batches(c).f32(beta);
    arguments.i64(e == null ? new long[3] : e.operand()).f32(delta);
    mirror(stream, "mirrorSymmetricHalf", c, arguments);
  }

  /** As {@link SquareKernels#mirrorSkew}, of 16-bit elements. */
  public void mirrorSkew(CUstream stream, WireType type, Batch c) {
    Batch.requireSquare(c);
    Arguments arguments = SquareKernels.start(c).i32(code(type)).batches(c);
    mirror(stream, "mirrorSkewHalf", c, arguments);
  }

  private static int code(WireType type) {
    if (type.bytes() != Short.BYTES) {
      throw new IllegalArgumentException("type: " + type + " (expected: BFLOAT16 or FLOAT16)");
    }
    return type.code();
  }

  private static Walk walk(Join join, Batch floats, Batch... halves) {
    boolean aligned = floats.aligned(Float.BYTES);
    Batch[] all = new Batch[halves.length + 1];
    all[0] = floats;
    for (int i = 0; i < halves.length; i++) {
      aligned &= halves[i].aligned(Short.BYTES);
      all[i + 1] = halves[i];
    }
    return Walk.of(join, aligned, all);
  }

  private Arguments start(Walk walk, WireType type) {
    return start(walk).i32(code(type));
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

  private void mirror(CUstream stream, String kernel, Batch c, Arguments arguments) {
    long items = c.count() * SquareKernels.pairs(c);
    module.launch(stream, kernel, items, SquareKernels.THREADS, arguments);
  }
}
