package io.muond.client;

import io.muond.v1.WeightsHeader;
import io.muond.wire.Chunk;
import java.io.IOException;

/**
 * Where weights go as they arrive. Called by one thread at a time; the server waits while a method
 * runs.
 */
public interface WeightsSink {
  /**
   * Weights begin. Called again when the connection broke and reading starts over: what came before
   * is void.
   */
  void begin(WeightsHeader header) throws IOException;

  /**
   * A piece of one tensor: parameter by parameter, in ascending offsets. Its bytes are gone when
   * the method returns.
   */
  void accept(Chunk chunk) throws IOException;
}
