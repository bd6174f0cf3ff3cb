package io.muond.server.model;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import java.util.List;

/**
 * A tensor on the device, told of in the order of its elements outside: row-major, in the declared
 * shape. It is made of pieces that may lie anywhere, and their elements dealt out.
 *
 * @param parts in ascending offsets that leave nothing out
 */
record DeviceTensor(List<Part> parts) {
  DeviceTensor {
    parts = List.copyOf(parts);
  }

  /**
   * A piece.
   *
   * @param offset of its first element in the tensor
   * @param region where it lies
   */
  record Part(long offset, Piece piece, Region region) {
    private long receive(long first, ElementType type, long count, Memory.Source from) {
      return region.memory().receive(region.offset(), piece.dealing(), first, type, count, from);
    }

    private void send(long first, ElementType type, long count, Memory.Sink to) {
      region.memory().send(region.offset(), piece.dealing(), first, type, count, to);
    }

    /** How many of {@code count} elements from {@code index} of the tensor on are this piece's. */
    private long count(long index, long count) {
      return Math.min(count, Math.max(0, offset + region.floats() - index));
    }
  }

  /** One piece as a tensor of its own. */
  static DeviceTensor of(Piece piece, Region region) {
    return new DeviceTensor(List.of(new Part(0, piece, region)));
  }

  long floats() {
    return parts.stream().mapToLong(part -> part.region().floats()).sum();
  }

  /**
   * Takes elements, as {@link Memory#receive} does.
   *
   * @param index of the first one
   * @return the index, relative to {@code index}, of the first NaN or infinity, or −1
   */
  long receive(long index, ElementType type, long count, Memory.Source from) {
    long bad = -1;
    long done = 0;
    for (Part part : parts) {
      long some = part.count(index + done, count - done);
      if (some > 0) {
        long found = part.receive(index + done - part.offset(), type, some, from);
        if (bad < 0 && found >= 0) {
          bad = done + found;
        }
        done += some;
      }
    }
    requireAll(done, count);
    return bad;
  }

  /**
   * Gives elements, as {@link Memory#send} does.
   *
   * @param index of the first one
   */
  void send(long index, ElementType type, long count, Memory.Sink to) {
    long done = 0;
    for (Part part : parts) {
      long some = part.count(index + done, count - done);
      if (some > 0) {
        part.send(index + done - part.offset(), type, some, to);
        done += some;
      }
    }
    requireAll(done, count);
  }

  private static void requireAll(long done, long count) {
    if (done < count) {
      throw new IndexOutOfBoundsException(
          (count - done) + " elements reach past the end of the tensor");
    }
  }
}
