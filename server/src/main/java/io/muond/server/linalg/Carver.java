package io.muond.server.linalg;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;

/**
 * Cuts a batch's intermediates out of the workspace. A carver without memory only counts, so that
 * what is reserved and what is used are the same lines of code.
 */
public final class Carver {
  /** 16 elements: every matrix begins on a cache line. */
  private static final long ALIGNMENT = 16;

  private final Region workspace;
  private final int count;
  private long used;

  /**
   * @param workspace begins on a cache line; null to count
   * @param count matrices of the batch
   */
  public Carver(Region workspace, int count) {
    this.workspace = workspace;
    this.count = count;
  }

  public static Carver counting(int count) {
    return new Carver(null, count);
  }

  /** {@code count} packed matrices; null if this carver only counts. */
  public Matrices matrices(int rows, int cols) {
    Region region = region(Math.multiplyExact((long) rows * cols, (long) count));
    return region == null ? null : Matrices.packed(region, count, rows, cols);
  }

  /** {@code count} matrices of 16-bit elements; null if this carver only counts. */
  public Matrices halves(ElementType type, int rows, int cols) {
    Region region = region(Matrices.floatsOfHalves(count, rows, cols));
    return region == null ? null : Matrices.halves(region, type, count, rows, cols);
  }

  private Region region(long floats) {
    long offset = used;
    used = Math.addExact(used, aligned(floats));
    return workspace == null ? null : workspace.slice(offset, floats);
  }

  /** So many elements, and as many as fill the last cache line. */
  public static long aligned(long floats) {
    return Math.addExact(floats, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** A number for each matrix. */
  public Scalars scalars() {
    return scalars(count);
  }

  /** So many numbers; null if this carver only counts. */
  public Scalars scalars(int numbers) {
    Region region = region((long) Scalars.FLOATS * numbers);
    return region == null ? null : new Scalars(region.memory(), region.offset(), numbers);
  }

  /** As {@link #matrices}, stored as {@code like} is. */
  public Matrices tall(int rows, int cols, boolean transposed) {
    if (!transposed) {
      return matrices(rows, cols);
    }
    Matrices stored = matrices(cols, rows);
    return stored == null ? null : stored.transpose();
  }

  /** As {@link #halves}, stored as {@code like} is. */
  public Matrices tallHalves(ElementType type, int rows, int cols, boolean transposed) {
    if (!transposed) {
      return halves(type, rows, cols);
    }
    Matrices stored = halves(type, cols, rows);
    return stored == null ? null : stored.transpose();
  }

  /** Elements handed out so far. */
  public long used() {
    return used;
  }
}
