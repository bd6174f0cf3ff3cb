package io.muond.kernels;

import jcuda.driver.CUstream;

/** Pointers for cuBLAS's batched calls, made on the device: a captured launch makes them again. */
public final class PointerKernels {
  private final Module module;

  PointerKernels(Module module) {
    this.module = module;
  }

  /** Bytes that the pointers of {@code tiles} tiles of {@code count} products take. */
  public static long bytes(int count, int tiles) {
    return 3L * Long.BYTES * count * tiles;
  }

  /**
   * An operand cut into blocks of rows or columns, all in bytes.
   *
   * @param pointer to the first block of the first matrix
   * @param stride between matrices
   * @param block between blocks
   */
  public record Blocks(long pointer, long stride, long block) {
    private long[] argument() {
      return new long[] {pointer, stride, block};
    }
  }

  /**
   * Pointers to the tiles (i, j), i ≥ j, of c = a b. Number t · count + k belongs to tile t of
   * matrix k, tiles counted row by row.
   *
   * @param a in blocks of rows
   * @param b in blocks of columns
   * @param c in blocks of rows, in which tiles are {@code column} bytes apart
   * @param to device pointer: ← the pointers into a, then those into b, then those into c
   */
  public void tiles(
      CUstream stream, int count, int tiles, Blocks a, Blocks b, Blocks c, long column, long to) {
    Arguments arguments =
        new Arguments()
            .i64(count)
            .i64(tiles)
            .i64(a.argument())
            .i64(b.argument())
            .i64(c.argument())
            .i64(column)
            .i64(to);
    long blocks = Walk.ceilDiv((long) count * tiles, Walk.THREADS);
    module.launch(stream, "tilePointers", blocks, Walk.THREADS, arguments);
  }
}
