package io.muond.server.engine;

/** How an element is written, little-endian. What an engine keeps from step to step is float32. */
public enum ElementType {
  FLOAT32(4),
  BFLOAT16(2),
  FLOAT16(2);

  private final int bytes;

  ElementType(int bytes) {
    this.bytes = bytes;
  }

  public int bytes() {
    return bytes;
  }
}
