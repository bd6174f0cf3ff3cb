package io.muond.server.engine;

/**
 * An allocation of float32 elements on the engine's device, zeroed when it is made. Owned by
 * whoever allocated it; closing it twice is allowed, using it after that is not.
 */
public interface Memory extends AutoCloseable {
  /** The number of float32 elements. */
  long floats();

  @Override
  void close();
}
