package io.muond.server.engine;

/**
 * Measures how long the device works on the operations between start and stop. Both are operations
 * themselves: recorded and replayed.
 */
public interface Stopwatch {
  void start();

  void stop();

  /** Whether what was asked for is done by the time that the call which asks for it returns. */
  boolean isAtOnce();

  /**
   * Waits until the device is done with what was asked for up to the last stop. Not for sequences
   * that have a key.
   */
  void await();

  /**
   * The seconds between start and stop, summed if there were several pairs since the sequence
   * began. To be called when the results of the sequence have been read.
   */
  double seconds();
}
