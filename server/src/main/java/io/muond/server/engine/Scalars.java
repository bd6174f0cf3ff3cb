package io.muond.server.engine;

import static java.util.Objects.requireNonNull;

import java.util.Objects;

/**
 * One float64 number per matrix of a batch, kept where the engine computes, so that a step can use
 * a norm without waiting for it on the host. Number k takes the two elements of {@code memory} from
 * {@code offset + 2k} on.
 *
 * @param offset of the first number, even
 */
public record Scalars(Memory memory, long offset, int count) {
  /** Elements that a number takes. */
  public static final int FLOATS = Double.BYTES / Float.BYTES;

  public Scalars {
    requireNonNull(memory, "memory is null");
    if (offset < 0
        || offset % FLOATS != 0
        || count < 0
        || offset > memory.floats() - (long) FLOATS * count) {
      throw new IndexOutOfBoundsException(
          count + " numbers at " + offset + " of " + memory.floats() + " elements");
    }
  }

  /** Numbers [from, from + length). */
  public Scalars slice(int from, int length) {
    Objects.checkFromIndexSize(from, length, count);
    return new Scalars(memory, offset + (long) FLOATS * from, length);
  }
}
