package io.muond.server.engine;

import java.util.function.Supplier;

/**
 * Runs sequences of operations that are repeated with other contents of the same memory. An engine
 * that can records a sequence and replays it from then on. Owned by whoever made it, used on the
 * engine's thread.
 */
public interface Recorder extends AutoCloseable {
  /** How many branches there are. */
  int BRANCHES = 4;

  /**
   * Runs operations.
   *
   * @param key of the sequence: equal keys stand for the same operations on the same memory. Null
   *     for operations that read results while they go on; these are never recorded
   * @param operations asks for them, and returns what it learned by it
   * @return what {@code operations} returned when the sequence was recorded, or returns now
   */
  <T> T run(Object key, Supplier<T> operations);

  /**
   * Within a sequence with a key: what is asked for from now on is part of a branch. Branches may
   * run beside each other, so they must not touch what another one writes. They begin after what
   * was asked for before the first of them.
   *
   * @param number from 0 to below {@link #BRANCHES}; a branch may be gone on with
   */
  void branch(int number);

  /** Ends the branches: what is asked for from now on comes after all of them. */
  void join();

  /** A stopwatch for operations of this recorder; the same number gives the same one. */
  Stopwatch stopwatch(int number);

  @Override
  void close();
}
