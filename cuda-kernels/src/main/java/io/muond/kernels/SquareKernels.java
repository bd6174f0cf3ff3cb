package io.muond.kernels;

import jcuda.driver.CUstream;

/** Operations that pair element (i, j) of float32 matrices with (j, i). */
public final class SquareKernels {
  static final int THREADS = 256;
  private static final int SIDE = 32;

  private final Module module;

  SquareKernels(Module module) {
    this.module = module;
  }

  /** y ← x − xᵀ, exactly skew; y may be x. */
  public void skew(CUstream stream, Batch x, Batch y) {
    Batch.requireSquare(x, y);
    launch(stream, "skew", x, start(x).batches(x, y));
  }

  /** y ← (x + xᵀ) / 2, exactly symmetric; y may be x. */
  public void symmetrize(CUstream stream, Batch x, Batch y) {
    Batch.requireSquare(x, y);
    launch(stream, "symmetrize", x, start(x).batches(x, y));
  }

  /** y ← −xᵀ; they do not overlap. */
  public void negativeTranspose(CUstream stream, Batch x, Batch y) {
    if (x.count() != y.count() || x.rows() != y.cols() || x.cols() != y.rows()) {
      throw new IllegalArgumentException("not each other's transposes in shape: " + x + ", " + y);
    }
    long down = tiles(x.rows());
    long across = tiles(x.cols());
    Arguments arguments = new Arguments().i64(x.count()).i64(x.rows()).i64(x.cols());
    arguments.i64(down).i64(across).batches(x, y);
    module.launch(stream, "negativeTranspose", x.count() * down * across, THREADS, arguments);
  }

  /**
   * Both triangles of c ← c + beta · e + delta · I, where of c only elements (i, j), i ≥ j, are
   * known and the others may be uninitialised.
   *
   * @param e symmetric matrices other than c, or null
   */
  public void mirrorSymmetric(CUstream stream, Batch c, double beta, Batch e, double delta) {
    Batch.requireSquare(c, e == null ? c : e);
    Arguments arguments = start(c).batches(c).f32(beta);
    arguments.i64(e == null ? new long[3] : e.operand()).f32(delta);
    launch(stream, "mirrorSymmetric", c, arguments);
  }

  /** The upper triangle of c ← −(the lower one)ᵀ, its diagonal ← +0; the upper one is not read. */
  public void mirrorSkew(CUstream stream, Batch c) {
    Batch.requireSquare(c);
    launch(stream, "mirrorSkew", c, start(c).batches(c));
  }

  /** Count, order, and pairs of tiles: what the kernels' arguments begin with. */
  static Arguments start(Batch x) {
    return new Arguments().i64(x.count()).i64(x.rows()).i64(pairs(x));
  }

  /** Tiles on and below the diagonal. */
  static long pairs(Batch x) {
    long tiles = tiles(x.rows());
    return tiles * (tiles + 1) / 2;
  }

  private static long tiles(int n) {
    return Walk.ceilDiv(n, SIDE);
  }

  private void launch(CUstream stream, String kernel, Batch x, Arguments arguments) {
    module.launch(stream, kernel, x.count() * pairs(x), THREADS, arguments);
  }
}
