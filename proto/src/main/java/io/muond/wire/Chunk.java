package io.muond.wire;

import io.muond.v1.DataType;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A {@code muond.v1.TensorChunk} as it was received. Its meaning is that of the message's fields.
 */
public interface Chunk {
  /** The parameter's name. */
  String parameter();

  /** The element type's number, whether it is one or not. */
  int dataTypeValue();

  /** The element type. */
  default DataType dataType() {
    DataType type = DataType.forNumber(dataTypeValue());
    return type == null ? DataType.UNRECOGNIZED : type;
  }

  /** The shape of the whole tensor. */
  List<Long> shape();

  /** Whether {@link #shape} is {@code other}; makes no list. */
  boolean hasShape(List<Long> other);

  /** Where the data begins, in bytes from the start of the tensor. */
  long offset();

  /** Bytes of data. */
  int size();

  /**
   * Copies {@code into.remaining()} bytes of the data, from byte {@code from} of it on.
   *
   * @throws IndexOutOfBoundsException if the data ends before
   */
  void read(int from, ByteBuffer into);
}
