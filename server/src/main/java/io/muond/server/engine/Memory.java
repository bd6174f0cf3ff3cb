package io.muond.server.engine;

import java.nio.ByteBuffer;

/**
 * An allocation of float32 elements on the engine's device, zeroed when it is made. Owned by
 * whoever allocated it; closing it twice is allowed, using it after that is not. Any thread may
 * bring elements in and out.
 */
public interface Memory extends AutoCloseable {
  /** The number of float32 elements. */
  long floats();

  /** Bytes that come from outside, in order. */
  @FunctionalInterface
  interface Source {
    /** Fills a buffer, from its position to its limit, with the next bytes. */
    void read(ByteBuffer into);

    /** The bytes of a buffer; its position moves with what was read. */
    static Source of(ByteBuffer from) {
      return into -> {
        int some = into.remaining();
        into.put(from.slice(from.position(), some));
        from.position(from.position() + some);
      };
    }
  }

  /** Where bytes go, in order. */
  @FunctionalInterface
  interface Sink {
    /** Takes all bytes of a buffer, from its position to its limit. They are gone afterwards. */
    void write(ByteBuffer from);
  }

  /**
   * Takes elements from outside, widening them to float32. Concurrent calls must not overlap.
   *
   * @param index from which on elements are dealt out; whole blocks lie in this memory
   * @param first the number of the first element that comes, in the order outside
   * @param count of elements
   * @param from gives them, little-endian: into host memory from which they go on without another
   *     copy where that can be, in buffers of a multiple of 64 KiB but for the last
   * @return the index, relative to {@code first}, of the first NaN or infinity, or −1
   * @throws DeviceLostException if the device was lost
   */
  long receive(long index, Dealing dealing, long first, ElementType type, long count, Source from);

  /**
   * As {@link #receive(long, Dealing, long, ElementType, long, Source)}, from a buffer.
   *
   * @param from the elements between position and limit, whole ones; its position moves to its
   *     limit
   */
  default long receive(long index, Dealing dealing, long first, ElementType type, ByteBuffer from) {
    return receive(index, dealing, first, type, whole(from, type), Source.of(from));
  }

  /**
   * As {@link #receive(long, Dealing, long, ElementType, ByteBuffer)}, of elements as they come.
   */
  default long receive(long index, ElementType type, ByteBuffer from) {
    return receive(index, Dealing.NONE, 0, type, from);
  }

  /**
   * Gives elements out, rounding to nearest even where {@code type} is narrower.
   *
   * @param index from which on they were dealt out; whole blocks lie in this memory
   * @param first the number of the first element that goes, in the order outside
   * @param count of elements
   * @param to takes them, little-endian, out of host memory where they lie
   * @throws DeviceLostException if the device was lost
   */
  void send(long index, Dealing dealing, long first, ElementType type, long count, Sink to);

  /**
   * As {@link #send(long, Dealing, long, ElementType, long, Sink)}, into a buffer.
   *
   * @param to receives as many elements as fit between its position and limit, a whole number; its
   *     position moves to its limit
   */
  default void send(long index, Dealing dealing, long first, ElementType type, ByteBuffer to) {
    send(index, dealing, first, type, whole(to, type), to::put);
  }

  /** As {@link #send(long, Dealing, long, ElementType, ByteBuffer)}, of elements as they lie. */
  default void send(long index, ElementType type, ByteBuffer to) {
    send(index, Dealing.NONE, 0, type, to);
  }

  private static long whole(ByteBuffer bytes, ElementType type) {
    if (bytes.remaining() % type.bytes() != 0) {
      throw new IllegalArgumentException(
          bytes.remaining() + " bytes are not a whole number of " + type + " elements");
    }
    return bytes.remaining() / type.bytes();
  }

  @Override
  void close();
}
