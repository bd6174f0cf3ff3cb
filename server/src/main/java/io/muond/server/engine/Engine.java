package io.muond.server.engine;

import java.util.Optional;

/**
 * A device that holds float32 matrices and computes with them.
 *
 * <p>Threads: {@link #allocate} and {@link #device} may be called from any thread, as may what
 * memory itself does. Everything that computes is called from one thread only, the engine's own,
 * which the caller provides.
 */
public interface Engine extends AutoCloseable {
  /** "cpu" or "cuda". */
  String kind();

  DeviceInfo device();

  /**
   * How the device was lost, if it was found to be: nothing can be had of it any more, but closing
   * what it has is no error.
   */
  Optional<DeviceLostException> loss();

  /** Finds out whether the device was lost, to be called where something has failed on it. */
  void examine();

  /** Whether products can be computed so. */
  boolean supports(Precision precision);

  /**
   * Reserves zeroed memory.
   *
   * @param owner who needs it, for error messages and leak reports
   * @throws OutOfDeviceMemoryException if it does not fit
   */
  Memory allocate(String owner, long floats);

  /** Bytes of the device's memory that an allocation takes: it may be given out in larger units. */
  long allocationBytes(long floats);

  /** Bytes of the elements that are allocated and not closed yet. */
  long allocatedBytes();

  /** The operations. */
  Compute compute();

  /** Waits until everything that was computed is in memory, for other threads to see. */
  void synchronize();

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
