package io.muond.server.engine;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * A device, or several, that hold float32 matrices and compute with them.
 *
 * <p>Threads: {@link #allocate}, {@link #receive}, {@link #send} and {@link #devices} may be called
 * from any thread. Everything that computes is called from one thread only, the engine's own, which
 * the caller provides.
 */
public interface Engine extends AutoCloseable {
  /** "cpu" or "cuda". */
  String kind();

  List<DeviceInfo> devices();

  /** Whether products can be computed so. */
  boolean supports(Precision precision);

  /**
   * Reserves zeroed memory.
   *
   * @param owner who needs it, for error messages and leak reports
   * @throws OutOfDeviceMemoryException if it does not fit
   */
  Memory allocate(String owner, long floats);

  /** Bytes allocated and not closed yet. */
  long allocatedBytes();

  /**
   * Writes elements from outside into memory, widening them to float32. Concurrent calls must not
   * overlap.
   *
   * @param index of the first element in {@code to}
   * @param from the elements between position and limit, little-endian, whole elements; its
   *     position moves to its limit, its byte order becomes little-endian
   * @return the index, relative to {@code index}, of the first NaN or infinity, or −1
   */
  long receive(Memory to, long index, ElementType type, ByteBuffer from);

  /**
   * Reads elements out of memory, rounding to nearest even where {@code type} is narrower.
   *
   * @param to receives as many elements as fit between its position and limit; its position moves
   *     to its limit, its byte order becomes little-endian
   */
  void send(Memory from, long index, ElementType type, ByteBuffer to);

  /** The operations. */
  Compute compute();

  /** A new recorder, which the caller closes on the engine's thread. */
  Recorder recorder();

  /**
   * How many of {@code count} matrices are best worked on at a time: more share the cost of a call,
   * fewer need less workspace.
   *
   * @param floats elements of the largest intermediate of one matrix
   */
  int batchFor(int count, long floats);

  /** Measures n × n float32 products: floating-point operations per second, the median. */
  double gemmRate(int n);

  /**
   * Releases the device.
   *
   * @throws IllegalStateException if memory is still allocated, naming its owners
   */
  @Override
  void close();
}
