package io.muond.safetensors;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Element types, named as in the header. */
public enum Dtype {
  BOOL(8),
  F4(4),
  F6_E2M3(6),
  F6_E3M2(6),
  U8(8),
  I8(8),
  F8_E5M2(8),
  F8_E4M3(8),
  F8_E5M2FNUZ(8),
  F8_E4M3FNUZ(8),
  F8_E8M0(8),
  I16(16),
  U16(16),
  F16(16),
  BF16(16),
  I32(32),
  U32(32),
  F32(32),
  C64(64),
  F64(64),
  I64(64),
  U64(64);

  private static final Map<String, Dtype> BY_NAME = byName();

  private final int bits;

  Dtype(int bits) {
    this.bits = bits;
  }

  /** Bits per element. */
  public int bits() {
    return bits;
  }

  /** Whether elements can be read as float32: F64, F32, F16 and BF16. */
  public boolean isReadableAsFloat() {
    return this == F64 || this == F32 || this == F16 || this == BF16;
  }

  /**
   * Bytes that so many elements take.
   *
   * @throws ArithmeticException if that passes 64 bits or is not a whole number
   */
  long bytes(long elements) {
    if (bits % 8 == 0) {
      return Math.multiplyExact(elements, bits / 8);
    }
    long total = Math.multiplyExact(elements, bits);
    if (total % 8 != 0) {
      throw new ArithmeticException(elements + " elements of " + bits + " bits end within a byte");
    }
    return total / 8;
  }

  /** The type of that name. */
  static Optional<Dtype> named(String name) {
    return Optional.ofNullable(BY_NAME.get(name));
  }

  private static Map<String, Dtype> byName() {
    Map<String, Dtype> names = new HashMap<>();
    for (Dtype dtype : values()) {
      names.put(dtype.name(), dtype);
    }
    return Map.copyOf(names);
  }
}
