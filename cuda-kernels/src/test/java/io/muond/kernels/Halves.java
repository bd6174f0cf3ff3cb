package io.muond.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A batch of 16-bit matrices on the device, its gaps filled with numbers that must stay. */
final class Halves {
  private static final short GAP = 0x4d2;

  private final Device device;
  private final WireType type;
  private final Shape shape;
  private final long address;

  /** Uninitialised but for the gaps. */
  Halves(Device device, WireType type, Shape shape) {
    this.device = device;
    this.type = type;
    this.shape = shape;
    address = device.allocate((long) Short.BYTES * shape.extent());
    boolean[] taken = shape.taken();
    for (int i = 0; i < taken.length; i++) {
      if (!taken[i]) {
        write(i, GAP);
      }
    }
  }

  Halves(Device device, WireType type, Shape shape, float[] values) {
    this(device, type, shape);
    for (int e = 0; e < values.length; e++) {
      set(e, values[e]);
    }
  }

  private void write(int index, short bits) {
    byte[] bytes = {(byte) bits, (byte) (bits >> 8)};
    device.write(address + (long) Short.BYTES * index, bytes);
  }

  /** Writes one element, rounded, to leave others uninitialised. */
  void set(int element, float value) {
    write(shape.index(element), (short) nearest(type, value));
  }

  /** The elements in row-major order; the gaps are checked. */
  float[] get() {
    byte[] bytes = device.bytes(address, Short.BYTES * shape.extent());
    ByteBuffer memory = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    boolean[] taken = shape.taken();
    for (int i = 0; i < taken.length; i++) {
      if (!taken[i] && memory.getShort(Short.BYTES * i) != GAP) {
        assertThat(memory.getShort(Short.BYTES * i)).as("gap at %d", i).isEqualTo(GAP);
      }
    }
    float[] values = new float[shape.elements()];
    for (int e = 0; e < values.length; e++) {
      values[e] = (float) value(type, memory.getShort(Short.BYTES * shape.index(e)) & 0xffff);
    }
    return values;
  }

  Batch batch() {
    return new Batch(
        address + (long) Short.BYTES * shape.offset(),
        shape.count(),
        shape.rows(),
        shape.cols(),
        shape.stride(),
        shape.ld());
  }

  /** Each value rounded to the type. */
  static float[] rounded(WireType type, float[] values) {
    float[] all = new float[values.length];
    for (int e = 0; e < all.length; e++) {
      all[e] = (float) value(type, nearest(type, values[e]));
    }
    return all;
  }

  /** The value of a 16-bit number, by the formats' definition. */
  static double value(WireType type, int bits) {
    int fraction = type == WireType.FLOAT16 ? 10 : 7;
    int exponents = (1 << (15 - fraction)) - 1;
    int exponent = (bits >> fraction) & exponents;
    double significand = bits & ((1 << fraction) - 1);
    double sign = (bits & 0x8000) == 0 ? 1 : -1;
    if (exponent == exponents) {
      return significand == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
    }
    double implicit = exponent == 0 ? 0 : 1 << fraction;
    int power = Math.max(exponent, 1) - exponents / 2 - fraction;
    return sign * Math.scalb(significand + implicit, power);
  }

  /** The bits of the half nearest to x, ties to even; −1 for NaN. */
  static int nearest(WireType type, float x) {
    if (Float.isNaN(x)) {
      return -1;
    }
    int low = 0;
    int high = type == WireType.FLOAT16 ? 0x7c00 : 0x7f80;
    double size = Math.abs((double) x);
    while (high - low > 1) {
      int middle = (low + high) / 2;
      if (value(type, middle) <= size) {
        low = middle;
      } else {
        high = middle;
      }
    }
    // Beyond the largest number, infinity stands for the next power of two.
    int last = type == WireType.FLOAT16 ? 0x7bff : 0x7f7f;
    double above = low == last ? 2 * value(type, last) - value(type, last - 1) : value(type, high);
    double down = size - value(type, low);
    double up = above - size;
    int bits = down < up || (down == up && low % 2 == 0) ? low : high;
    boolean negative = Float.floatToRawIntBits(x) < 0;
    return negative ? bits | 0x8000 : bits;
  }
}
