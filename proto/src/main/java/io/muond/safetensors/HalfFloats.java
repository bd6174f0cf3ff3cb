package io.muond.safetensors;

/** Widens 16-bit floating point to float32, exactly. */
public final class HalfFloats {
  /** 2^-24, the value of float16's last bit below its normal numbers. */
  private static final float SUBNORMAL_UNIT = 0x1p-24f;

  private HalfFloats() {}

  /** Of a bfloat16. */
  public static float fromBfloat16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** Of an IEEE float16; the payload of a NaN stays. */
  public static float fromFloat16(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = (bits >> 10) & 0x1f;
    int fraction = bits & 0x3ff;
    if (exponent == 0) {
      int magnitude = Float.floatToRawIntBits(fraction * SUBNORMAL_UNIT);
      return Float.intBitsToFloat(sign | magnitude);
    }
    // The exponents' biases are 15 and 127; all ones mean infinity or NaN in both.
    int widened = exponent == 0x1f ? 0xff : exponent + 127 - 15;
    return Float.intBitsToFloat(sign | widened << 23 | fraction << 13);
  }
}
