package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;

/** A batch of float32 matrices on the device, its gaps filled with numbers that must stay. */
final class Floats {
  private static final float GAP = -12345.5f;

  private final Device device;
  private final Shape shape;
  private final long address;

  /** Uninitialised but for the gaps. */
  Floats(Device device, Shape shape) {
    this.device = device;
    this.shape = shape;
    address = device.allocate(4L * shape.extent());
    float[] gap = new float[shape.extent()];
    java.util.Arrays.fill(gap, GAP);
    int from = 0;
    boolean[] taken = shape.taken();
    for (int i = 0; i <= taken.length; i++) {
      if (i == taken.length || taken[i]) {
        if (i > from) {
          device.write(address + 4L * from, gap, from, i - from);
        }
        from = i + 1;
      }
    }
  }

  Floats(Device device, Shape shape, float[] values) {
    this(device, shape);
    set(values);
  }

  void set(float[] values) {
    for (int e = 0; e < values.length; e += shape.cols()) {
      device.write(address + 4L * shape.index(e), values, e, shape.cols());
    }
  }

  /** Writes one element, to leave others uninitialised. */
  void set(int element, float value) {
    device.write(address + 4L * shape.index(element), new float[] {value}, 0, 1);
  }

  /** The elements in row-major order; the gaps are checked. */
  float[] get() {
    float[] memory = new float[shape.extent()];
    device.read(address, memory, 0, memory.length);
    boolean[] taken = shape.taken();
    for (int i = 0; i < memory.length; i++) {
      if (!taken[i] && memory[i] != GAP) {
        assertThat(memory[i]).as("gap at " + i + " of " + shape).isEqualTo(GAP);
      }
    }
    float[] values = new float[shape.elements()];
    for (int e = 0; e < values.length; e++) {
      values[e] = memory[shape.index(e)];
    }
    return values;
  }

  Batch batch() {
    return new Batch(
        address + 4L * shape.offset(),
        shape.count(),
        shape.rows(),
        shape.cols(),
        shape.stride(),
        shape.ld());
  }

  /** Numbers of either sign, with zeros of both signs and a subnormal number among them. */
  static float[] random(Shape shape, long seed) {
    Random random = new Random(seed);
    float[] values = new float[shape.elements()];
    for (int e = 0; e < values.length; e++) {
      values[e] = (float) random.nextGaussian();
    }
    if (values.length > 4) {
      values[1] = -0f;
      values[2] = 0f;
      values[3] = 1e-40f;
    }
    return values;
  }

  /** The same with a NaN and infinities where there is room. */
  static float[] special(Shape shape, long seed) {
    float[] values = random(shape, seed);
    values[values.length / 2] = Float.NaN;
    values[values.length / 3] = Float.POSITIVE_INFINITY;
    values[values.length - 1] = Float.NEGATIVE_INFINITY;
    return values;
  }

  /** Demands what was expected, to {@code ulps} roundings of {@code scale} (or of itself). */
  static void assertClose(float[] actual, double[] expected, double ulps, double scale) {
    assertThat(actual).hasSize(expected.length);
    for (int e = 0; e < actual.length; e++) {
      double slack = ulps * Math.max(Math.ulp((float) scale), Math.ulp((float) expected[e]));
      boolean equal =
          Double.compare(actual[e] + 0.0, (float) expected[e] + 0.0) == 0
              || Math.abs(actual[e] - expected[e]) <= slack;
      assertThat(equal).as("element %d: %s, not %s", e, actual[e], expected[e]).isTrue();
    }
  }
}
