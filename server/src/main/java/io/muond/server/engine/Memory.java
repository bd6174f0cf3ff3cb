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

  /**
   * Takes elements from outside, widening them to float32. Concurrent calls must not overlap.
   *
   * @param index of the first element to write
   * @param from the elements between position and limit, little-endian, whole elements; its
   *     position moves to its limit, its byte order becomes little-endian
   * @return the index, relative to {@code index}, of the first NaN or infinity, or −1
   * @throws DeviceLostException if the device was lost
   */
  default long receive(long index, ElementType type, ByteBuffer from) {
    return receive(index, Dealing.NONE, 0, type, from);
  }

  /**
   * As {@link #receive(long, ElementType, ByteBuffer)}, for elements that are dealt out.
   *
   * @param index from which on elements are dealt out; whole blocks lie in this memory
   * @param first the number of the first element that comes, in the order outside
   * @return the index, relative to {@code first}, of the first NaN or infinity, or −1
   */
  long receive(long index, Dealing dealing, long first, ElementType type, ByteBuffer from);

  /**
   * Gives elements out, rounding to nearest even where {@code type} is narrower.
   *
   * @param index of the first element to read
   * @param to receives as many elements as fit between its position and limit; its position moves
   *     to its limit, its byte order becomes little-endian
   * @throws DeviceLostException if the device was lost
   */
  default void send(long index, ElementType type, ByteBuffer to) {
    send(index, Dealing.NONE, 0, type, to);
  }

  /**
   * As {@link #send(long, ElementType, ByteBuffer)}, for elements that were dealt out.
   *
   * @param index from which on they were dealt out; whole blocks lie in this memory
   * @param first the number of the first element that goes, in the order outside
   */
  void send(long index, Dealing dealing, long first, ElementType type, ByteBuffer to);

  @Override
  void close();
}
