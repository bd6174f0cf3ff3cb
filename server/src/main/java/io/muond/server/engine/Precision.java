package io.muond.server.engine;

/** The arithmetic of a matrix product's inputs. Accumulation is in float32. */
public enum Precision {
  FLOAT32(ElementType.FLOAT32),
  TF32(ElementType.FLOAT32),
  FLOAT16(ElementType.FLOAT16),
  BFLOAT16(ElementType.BFLOAT16);

  private final ElementType operands;

  Precision(ElementType operands) {
    this.operands = operands;
  }

  /** The type of the operands' elements. */
  public ElementType operands() {
    return operands;
  }

  /** Whether operands have 16 bits, and are to be rounded first. */
  public boolean isHalf() {
    return operands != ElementType.FLOAT32;
  }
}
