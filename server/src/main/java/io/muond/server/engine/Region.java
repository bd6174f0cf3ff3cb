package io.muond.server.engine;

import static java.util.Objects.requireNonNull;

/**
 * Consecutive elements of an allocation.
 *
 * @param offset index of the first element
 * @param floats number of elements
 */
public record Region(Memory memory, long offset, long floats) {
  public Region {
    requireNonNull(memory, "memory is null");
    if (offset < 0 || floats < 0 || offset > memory.floats() - floats) {
      throw new IndexOutOfBoundsException(
          "region [" + offset + ", +" + floats + ") of " + memory.floats() + " elements");
    }
  }

  /** Elements [from, from + length) of this region. */
  public Region slice(long from, long length) {
    if (from < 0 || length < 0 || from > floats - length) {
      throw new IndexOutOfBoundsException(
          "slice [" + from + ", +" + length + ") of " + floats + " elements");
    }
    return new Region(memory, offset + from, length);
  }
}
