package io.muond.server.engine.cuda;

import io.muond.kernels.Batch;
import io.muond.kernels.WireType;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;

/** The engine's views as the kernels take them. */
final class Views {
  private Views() {}

  static CudaMemory memory(Matrices x) {
    return (CudaMemory) x.memory();
  }

  static long address(Matrices x) {
    return memory(x).at(0) + x.offset() * x.type().bytes();
  }

  static long address(Scalars s) {
    return ((CudaMemory) s.memory()).at(s.offset());
  }

  /** As they lie in memory: a transposed view's rows are its columns. */
  static Batch batch(Matrices x) {
    return new Batch(address(x), x.count(), x.storedRows(), x.storedCols(), x.stride(), x.ld());
  }

  static WireType wireType(ElementType type) {
    return switch (type) {
      case FLOAT32 -> WireType.FLOAT32;
      case BFLOAT16 -> WireType.BFLOAT16;
      case FLOAT16 -> WireType.FLOAT16;
    };
  }

  /** The same, of operands that must lie alike. */
  static void requireAlike(Matrices x, Matrices y) {
    if (x.transposed() != y.transposed()) {
      throw new IllegalArgumentException("one of them lies transposed: " + x + ", " + y);
    }
  }
}
