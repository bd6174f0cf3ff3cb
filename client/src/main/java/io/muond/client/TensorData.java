package io.muond.client;

import io.muond.v1.DataType;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A tensor that can be sent: a shape, an element type and little-endian elements in row-major
 * order, read piece by piece, so that it need not be in memory. It must not change while a call
 * uses it, and is read more than once when a call is repeated.
 */
public interface TensorData {
  /** The size of each dimension; empty for a scalar. */
  long[] shape();

  /** The type of the elements. */
  DataType dataType();

  /** The size in bytes: the number of elements times the size of one. */
  long byteSize();

  /**
   * Copies {@code into.remaining()} bytes, beginning at byte {@code offset} of the tensor, to
   * {@code into}. Called from any thread, one at a time.
   *
   * @throws IOException if the bytes cannot be read
   */
  void read(long offset, ByteBuffer into) throws IOException;
}
