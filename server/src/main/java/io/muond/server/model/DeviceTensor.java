package io.muond.server.model;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Region;
import java.nio.ByteBuffer;
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
    private long receive(long first, ElementType type, ByteBuffer from) {
      return region.memory().receive(region.offset(), piece.dealing(), first, type, from);
    }

    private void send(long first, ElementType type, ByteBuffer to) {
      region.memory().send(region.offset(), piece.dealing(), first, type, to);
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
   * Takes elements, as {@link io.muond.server.engine.Memory#receive} does.
   *
   * @param index of the first one
   * @return the index, relative to {@code index}, of the first NaN or infinity, or −1
   */
  long receive(long index, ElementType type, ByteBuffer from) {
    long bad = -1;
    long at = index;
    for (Part part : parts) {
      ByteBuffer slice = next(part, at, type, from);
      long count = slice.remaining() / type.bytes();
      long found = count == 0 ? -1 : part.receive(at - part.offset(), type, slice);
      if (bad < 0 && found >= 0) {
        bad = at - index + found;
      }
      at += count;
    }
    requireAll(from);
    return bad;
  }

  /**
   * Gives elements, as {@link io.muond.server.engine.Memory#send} does.
   *
   * @param index of the first one
   */
  void send(long index, ElementType type, ByteBuffer to) {
    long at = index;
    for (Part part : parts) {
      ByteBuffer slice = next(part, at, type, to);
      long count = slice.remaining() / type.bytes();
      if (count > 0) {
        part.send(at - part.offset(), type, slice);
      }
      at += count;
    }
    requireAll(to);
  }

  /** What of the bytes is {@code part}'s; the position moves behind it. */
  private static ByteBuffer next(Part part, long at, ElementType type, ByteBuffer bytes) {
    long left = Math.max(0, part.offset() + part.region().floats() - at);
    int length = (int) Math.min(bytes.remaining(), left * type.bytes());
    ByteBuffer slice = bytes.slice(bytes.position(), length);
    bytes.position(bytes.position() + length);
    return slice;
  }

  private static void requireAll(ByteBuffer bytes) {
    if (bytes.hasRemaining()) {
      throw new IndexOutOfBoundsException(
          bytes.remaining() + " bytes reach past the end of the tensor");
    }
  }
}
