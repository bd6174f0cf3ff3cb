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
  long receive(long index, ElementType type, ByteBuffer from);

  /**
   * Gives elements out, rounding to nearest even where {@code type} is narrower.
   *
   * @param index of the first element to read
   * @param to receives as many elements as fit between its position and limit; its position moves
   *     to its limit, its byte order becomes little-endian
   * @throws DeviceLostException if the device was lost
   */
  void send(long index, ElementType type, ByteBuffer to);

  @Override
  void close();
}
