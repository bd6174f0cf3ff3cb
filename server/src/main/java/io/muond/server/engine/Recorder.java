package io.muond.server.engine;

import java.util.function.Supplier;

/**
 * Runs sequences of operations that are repeated with other contents of the same memory. An engine
 * that can records a sequence and replays it from then on. Owned by whoever made it, used on the
 * engine's thread.
 */
public interface Recorder extends AutoCloseable {
  /**
   * Runs operations.
   *
   * @param key of the sequence: equal keys stand for the same operations on the same memory. Null
   *     for operations that read results while they go on; these are never recorded
   * @param operations asks for them, and returns what it learned by it
   * @return what {@code operations} returned when the sequence was recorded, or returns now
   */
  <T> T run(Object key, Supplier<T> operations);

  /** A stopwatch for operations of this recorder; the same number gives the same one. */
  Stopwatch stopwatch(int number);

  @Override
  void close();
}
