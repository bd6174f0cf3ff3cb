package io.muond.server.checkpoint;

import java.nio.ByteBuffer;

/** Takes the tensors of a checkpoint. */
@FunctionalInterface
public interface TensorSink {
  /**
   * Takes elements: tensor by tensor, in the order in which they were saved, ascending.
   *
   * @param name the tensor's name
   * @param floatIndex of the first element, row-major
   * @param from little-endian float32 between position and limit; valid during the call
   */
  void write(String name, long floatIndex, ByteBuffer from);
}
