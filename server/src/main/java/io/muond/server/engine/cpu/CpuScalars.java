package io.muond.server.engine.cpu;

import io.muond.server.engine.Scalars;

/** One float64 per matrix. */
final class CpuScalars implements Scalars {
  private final double[] values;

  CpuScalars(int count) {
    values = new double[count];
  }

  @Override
  public int count() {
    return values.length;
  }

  /** The numbers themselves. */
  static double[] of(Scalars scalars) {
    return ((CpuScalars) scalars).values;
  }
}
