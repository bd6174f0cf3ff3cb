package io.muond.server.model;

import io.muond.server.engine.ElementType;
import io.muond.v1.DataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Data types on the wire. */
final class Wire {
  private Wire() {}

  /** The engine's type, or null for what is no data type. */
  static ElementType elementType(DataType type) {
    return switch (type) {
      case DATA_TYPE_FLOAT32 -> ElementType.FLOAT32;
      case DATA_TYPE_BFLOAT16 -> ElementType.BFLOAT16;
      case DATA_TYPE_FLOAT16 -> ElementType.FLOAT16;
      case DATA_TYPE_UNSPECIFIED, UNRECOGNIZED -> null;
    };
  }

  /** The value of an infinite or NaN element, counted from the buffer's position. */
  static float notFiniteAt(ElementType type, ByteBuffer bytes, int index) {
    ByteBuffer b = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    int at = b.position() + index * type.bytes();
    return switch (type) {
      case FLOAT32 -> b.getFloat(at);
      case BFLOAT16 -> Float.intBitsToFloat(b.getShort(at) << 16);
      // All exponent bits are set: sign and fraction move to their places in a binary32.
      case FLOAT16 -> {
        int bits = b.getShort(at);
        yield Float.intBitsToFloat((bits & 0x8000) << 16 | 0x7F800000 | (bits & 0x3FF) << 13);
      }
    };
  }
}
