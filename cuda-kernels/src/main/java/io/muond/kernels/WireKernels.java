package io.muond.kernels;

import io.muond.kernels.Walk.Join;
import jcuda.driver.CUstream;

/** Elements on their way in and out of the device, and operands in half precision. */
public final class WireKernels {
  private final Module module;
  private final int multiprocessors;

  WireKernels(Module module, int multiprocessors) {
    this.module = module;
    this.multiprocessors = multiprocessors;
  }

  /**
   * Widens {@code count} elements to float32. *nonFinite ← the smaller of itself and the smallest
   * {@code first + i} of which element i is NaN or infinite, as unsigned numbers: set it to −1
   * before the first call, and −1 says that there is none.
   *
   * @param from device pointer to elements of {@code type}
   * @param to device pointer to float32, another place than {@code from}
   * @param first the number of the first element in its tensor
   * @param nonFinite device pointer to int64
   */
  public void receive(
      CUstream stream, WireType type, long from, long to, long count, long first, long nonFinite) {
    int width = width(type, from, to);
    Arguments arguments = new Arguments().i32(type.code()).i64(from).i64(to).i64(count);
    arguments.i32(width).i64(first).i64(nonFinite);
    launch(stream, "receive", count, width, arguments);
  }

  /** Rounds {@code count} float32 to elements of {@code type}, to nearest, ties to even. */
  public void send(CUstream stream, WireType type, long from, long to, long count) {
    int width = width(type, to, from);
    Arguments arguments = new Arguments().i32(type.code()).i64(from).i64(to).i64(count);
    launch(stream, "send", count, width, arguments.i32(width));
  }

  private static int width(WireType type, long wire, long floats) {
    return floats % 16 == 0 && wire % (4L * type.bytes()) == 0 ? 4 : 1;
  }

  private void launch(CUstream stream, String kernel, long count, int width, Arguments arguments) {
    long blocks = Walk.blocks(Walk.ceilDiv(count, width), multiprocessors);
    module.launch(stream, kernel, blocks, Walk.THREADS, arguments);
  }

  /**
   * y ← x rounded to nearest.
   *
   * @param type of y's elements, 16 bits
   */
  public void toHalf(CUstream stream, WireType type, Batch x, Batch y) {
    if (type == WireType.FLOAT32) {
      throw new IllegalArgumentException("type: FLOAT32 (expected: BFLOAT16 or FLOAT16)");
    }
    Walk walk = halves(x, y);
    Arguments arguments = start(walk).i32(type.code()).batches(x, y);
    launch(stream, "toHalf", walk.packs(), 1, arguments);
  }

  /** high + 2⁻¹¹ · low ← x in float16, to 22 bits; |x| is below 65520. */
  public void splitHalf(CUstream stream, Batch x, Batch high, Batch low) {
    Walk walk = halves(x, high, low);
    launch(stream, "splitHalf", walk.packs(), 1, start(walk).batches(x, high, low));
  }

  private static Walk halves(Batch x, Batch... halves) {
    boolean aligned = x.aligned(Float.BYTES);
    Batch[] all = new Batch[halves.length + 1];
    all[0] = x;
    for (int i = 0; i < halves.length; i++) {
      aligned &= halves[i].aligned(Short.BYTES);
      all[i + 1] = halves[i];
    }
    return Walk.of(Join.ROWS_AND_MATRICES, aligned, all);
  }

  private Arguments start(Walk walk) {
    long blocks = Walk.blocks(walk.packs(), multiprocessors);
    return new Arguments().i64(walk.argument(blocks * Walk.THREADS));
  }
}
