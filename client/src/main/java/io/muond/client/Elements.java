package io.muond.client;

import io.muond.safetensors.HalfFloats;
import io.muond.v1.DataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Widens elements as they are on the wire to float32, exactly. */
final class Elements {
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
      into[i] = brain ? HalfFloats.fromBfloat16(bits) : HalfFloats.fromFloat16(bits);
    }
  }
}
