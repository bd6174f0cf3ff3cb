package io.muond.kernels;

import jcuda.driver.CUstream;

/** Elements on their way in and out of the device. */
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
   * @param to where the float32 go, another place than {@code from}
   * @param first the number of the first element in its tensor
   * @param nonFinite device pointer to int64
   */
  public void receive(
      CUstream stream, WireType type, long from, Dealt to, long count, long first, long nonFinite) {
    Arguments arguments = new Arguments().i32(type.code()).i64(from);
    if (!to.isInOrder()) {
      arguments.i64(to.argument()).i64(count).i64(first).i64(nonFinite);
      launch(stream, "receiveDealt", count, 1, arguments);
      return;
    }
    int width = width(type, from, to.start());
    arguments.i64(to.start()).i64(count).i32(width).i64(first).i64(nonFinite);
    launch(stream, "receive", count, width, arguments);
  }

  /**
   * *told ← *nonFinite ← −1 unless that is −1 already: tells the host, without a copy where there
   * is nothing to tell.
   *
   * @param nonFinite as of {@link #receive}
   * @param told device pointer to int64 in mapped memory of the host
   */
  public void tellNonFinite(CUstream stream, long nonFinite, long told) {
    Arguments arguments = new Arguments().i64(nonFinite).i64(told);
    module.launch(stream, "tellNonFinite", 1, 1, arguments);
  }

  /** Rounds {@code count} float32 to elements of {@code type}, to nearest, ties to even. */
  public void send(CUstream stream, WireType type, Dealt from, long to, long count) {
    Arguments arguments = new Arguments().i32(type.code());
    if (!from.isInOrder()) {
      arguments.i64(from.argument()).i64(to).i64(count);
      launch(stream, "sendDealt", count, 1, arguments);
      return;
    }
    int width = width(type, to, from.start());
    arguments.i64(from.start()).i64(to).i64(count).i32(width);
    launch(stream, "send", count, width, arguments);
  }

  private static int width(WireType type, long wire, long floats) {
    return floats % 16 == 0 && wire % (4L * type.bytes()) == 0 ? 4 : 1;
  }

  private void launch(CUstream stream, String kernel, long count, int width, Arguments arguments) {
    long blocks = Walk.blocks(Walk.ceilDiv(count, width), multiprocessors);
    module.launch(stream, kernel, blocks, Walk.THREADS, arguments);
  }
}
