package io.muond.kernels;

import java.util.ArrayList;
import java.util.List;
import jcuda.NativePointerObject;
import jcuda.Pointer;

/** The arguments of a launch, in the kernel's order and of its types. The driver copies them. */
final class Arguments {
  private final List<NativePointerObject> values = new ArrayList<>();

  Arguments i32(int value) {
    values.add(Pointer.to(new int[] {value}));
    return this;
  }

  /** Integers of 64 bits: a long long, a pointer, or a struct of such. */
  Arguments i64(long... fields) {
    values.add(Pointer.to(fields));
    return this;
  }

  Arguments f32(double value) {
    values.add(Pointer.to(new float[] {(float) value}));
    return this;
  }

  /** A double, or a struct of such. */
  Arguments f64(double... fields) {
    values.add(Pointer.to(fields));
    return this;
  }

  /** An operand for every batch. */
  Arguments batches(Batch... batches) {
    for (Batch x : batches) {
      i64(x.operand());
    }
    return this;
  }

  /** These, and others after them. */
  Arguments then(Arguments others) {
    values.addAll(others.values);
    return this;
  }

  Pointer pointer() {
    return Pointer.to(values.toArray(NativePointerObject[]::new));
  }
}
