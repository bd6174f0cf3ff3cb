package io.muond.client;

import io.muond.v1.DataType;

/** Sizes of elements and of shapes. */
final class DataTypes {
  private DataTypes() {}

  /** The bytes of one element. */
  static int bytes(DataType type) {
    return switch (type) {
      case DATA_TYPE_FLOAT32 -> Float.BYTES;
      case DATA_TYPE_BFLOAT16, DATA_TYPE_FLOAT16 -> Short.BYTES;
      case DATA_TYPE_UNSPECIFIED, UNRECOGNIZED ->
          throw new IllegalArgumentException(
              "data_type: %s (expected: float32, bfloat16 or float16)".formatted(type));
    };
  }

  /** The number of elements of a shape. */
  static long elements(long[] shape) {
    long elements = 1;
    for (long size : shape) {
      if (size < 0) {
        throw new IllegalArgumentException("shape: dimension %d (expected: >= 0)".formatted(size));
      }
      elements = Math.multiplyExact(elements, size);
    }
    return elements;
  }
}
