package io.muond.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class HalfFloatsTest {
  @Test
  void widensEveryFloat16() {
    for (int bits = 0; bits <= 0xffff; bits++) {
      int exponent = (bits >> 10) & 0x1f;
      int fraction = bits & 0x3ff;
      double magnitude =
          exponent == 0
              ? Math.scalb((double) fraction, -24)
              : exponent == 31
                  ? (fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN)
                  : Math.scalb(1 + fraction / 1024.0, exponent - 15);
      float expected = (float) (bits >= 0x8000 ? -magnitude : magnitude);
      float actual = HalfFloats.fromFloat16((short) bits);
      if (Float.isNaN(expected)) {
        assertThat(actual).isNaN();
      } else {
        assertThat(Float.floatToRawIntBits(actual))
            .as("float16 %x", bits)
            .isEqualTo(Float.floatToRawIntBits(expected));
      }
    }
  }

  @Test
  void widensBfloat16() {
    assertThat(HalfFloats.fromBfloat16((short) 0x3f80)).isEqualTo(1f);
    assertThat(HalfFloats.fromBfloat16((short) 0xc040)).isEqualTo(-3f);
    assertThat(HalfFloats.fromBfloat16((short) 0xff80)).isEqualTo(Float.NEGATIVE_INFINITY);
  }
}
