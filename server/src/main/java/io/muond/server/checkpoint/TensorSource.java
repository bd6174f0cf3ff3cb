package io.muond.server.checkpoint;

import java.nio.ByteBuffer;
import java.util.List;

/** A float32 tensor to be saved. */
public interface TensorSource {
  /** Its name, unique in its file. */
  String name();

  /** Its dimensions; () is a scalar. */
  List<Long> shape();

  /**
   * Gives elements. Called with ascending indices that leave nothing out.
   *
   * @param floatIndex of the first element, row-major
   * @param into a little-endian buffer to fill with float32 from its position to its limit
   */
  void read(long floatIndex, ByteBuffer into);
}
