package io.muond.safetensors;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Where a written tensor's bytes come from. */
@FunctionalInterface
public interface TensorData {
  /**
   * Gives the next bytes. Called with ascending offsets that leave nothing out.
   *
   * @param offset of the first byte, from the tensor's beginning; a multiple of 8
   * @param into a little-endian buffer that must be filled from its position to its limit: a
   *     multiple of 8 bytes unless the tensor ends there
   */
  void read(long offset, ByteBuffer into) throws IOException;
}
