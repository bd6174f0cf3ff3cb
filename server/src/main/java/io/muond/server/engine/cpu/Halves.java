package io.muond.server.engine.cpu;

/**
 * 16-bit floating-point numbers. Widening is exact; narrowing rounds to nearest, ties to even. (The
 * JDK converts float16 from release 20 on only.)
 */
final class Halves {
  private static final int EXPONENT_SHIFT = 13;
  private static final int FLOAT_INFINITY = 0x7f800000;

  /** 2⁻¹⁴, the smallest normal float16, and 65520, from which on numbers round to infinity. */
  private static final int SMALLEST_NORMAL = 0x38800000;

  private static final int OVERFLOW = 0x477ff000;

  private Halves() {}

  static float toFloat(short half) {
    int sign = (half & 0x8000) << 16;
    int magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) {
      return Float.intBitsToFloat(sign | FLOAT_INFINITY | ((magnitude & 0x3ff) << EXPONENT_SHIFT));
    }
    if (magnitude < 0x400) {
      // Subnormal (or zero): magnitude · 2⁻²⁴, exact in float32.
      float value = magnitude * 0x1p-24f;
      return sign == 0 ? value : -value;
    }
    return Float.intBitsToFloat(sign | ((magnitude << EXPONENT_SHIFT) + ((127 - 15) << 23)));
  }

  static short toFloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7fffffff;
    if (magnitude > FLOAT_INFINITY) {
      return (short) (sign | 0x7e00 | ((magnitude >>> EXPONENT_SHIFT) & 0x3ff));
    }
    if (magnitude >= OVERFLOW) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < SMALLEST_NORMAL) {
      // Adding 2⁻¹ rounds to a multiple of 2⁻²⁴, which is what subnormals count.
      float rounded = Float.intBitsToFloat(magnitude) + 0.5f;
      return (short) (sign | (Float.floatToRawIntBits(rounded) - Float.floatToRawIntBits(0.5f)));
    }
    int rounded = magnitude - ((127 - 15) << 23) + 0xfff + ((magnitude >>> EXPONENT_SHIFT) & 1);
    return (short) (sign | (rounded >>> EXPONENT_SHIFT));
  }

  static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if ((bits & 0x7fffffff) > FLOAT_INFINITY) {
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }
}
