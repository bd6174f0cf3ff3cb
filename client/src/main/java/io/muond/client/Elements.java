package io.muond.client;

import io.muond.v1.DataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Widens elements as they are on the wire to float32, exactly. */
final class Elements {
  private static final int HALF_FRACTION_BITS = 10;
  private static final int FLOAT_FRACTION_BITS = 23;
  private static final int SHIFT = FLOAT_FRACTION_BITS - HALF_FRACTION_BITS;

  private Elements() {}

  /** Widens all of {@code bytes} into {@code into}, from index {@code start}. */
  static void widen(DataType type, ByteBuffer bytes, float[] into, int start) {
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    if (type == DataType.DATA_TYPE_FLOAT32) {
      bytes.asFloatBuffer().get(into, start, bytes.remaining() / Float.BYTES);
      return;
    }
    boolean brain = type == DataType.DATA_TYPE_BFLOAT16;
    for (int i = start; bytes.hasRemaining(); i++) {
      short bits = bytes.getShort();
      into[i] = brain ? Float.intBitsToFloat(bits << 16) : half(bits);
    }
  }

  private static float half(short bits) {
    int sign = (bits & 0x8000) << 16;
    int magnitude = bits & 0x7fff;
    if (magnitude < 0x0400) {
      // Zero and subnormals: multiples of 2^-24.
      float value = magnitude * 0x1p-24f;
      return sign == 0 ? value : -value;
    }
    // Infinity and NaN keep the largest exponent, the others move from bias 15 to bias 127.
    int exponent = magnitude >= 0x7c00 ? (255 - 31) : (127 - 15);
    return Float.intBitsToFloat(sign | ((magnitude << SHIFT) + (exponent << FLOAT_FRACTION_BITS)));
  }
}
