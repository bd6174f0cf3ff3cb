package io.muond.server.linalg;

import io.muond.server.engine.Matrices;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;

/**
 * Cuts a batch's intermediates out of the workspace. A carver without memory only counts, so that
 * what is reserved and what is used are the same lines of code.
 */
public final class Carver {
  /** 16 elements: every matrix begins on a cache line. */
  private static final long ALIGNMENT = 16;

  private final Memory memory;
  private final int count;
  private long used;

  public Carver(Memory memory, int count) {
    this.memory = memory;
    this.count = count;
  }

  public static Carver counting(int count) {
    return new Carver(null, count);
  }

  /** {@code count} packed matrices; null if this carver only counts. */
  public Matrices matrices(int rows, int cols) {
    long floats = Math.multiplyExact((long) rows * cols, (long) count);
    long offset = used;
    used = Math.addExact(used, (floats + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    return memory == null
        ? null
        : Matrices.packed(new Region(memory, offset, floats), count, rows, cols);
  }

  /** As {@link #matrices}, stored as {@code like} is. */
  public Matrices tall(int rows, int cols, boolean transposed) {
    if (!transposed) {
      return matrices(rows, cols);
    }
    Matrices stored = matrices(cols, rows);
    return stored == null ? null : stored.transpose();
  }

  /** Elements handed out so far. */
  public long used() {
    return used;
  }
}
