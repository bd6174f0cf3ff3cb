package io.muond.kernels;

/** How elements are written outside the engine, little-endian. */
public enum WireType {
  FLOAT32(0, 4),
  BFLOAT16(1, 2),
  FLOAT16(2, 2);

  private final int code;
  private final int bytes;

  WireType(int code, int bytes) {
    this.code = code;
    this.bytes = bytes;
  }

  /** As the kernels know it (halves.cuh). */
  int code() {
    return code;
  }

  public int bytes() {
    return bytes;
  }
}
