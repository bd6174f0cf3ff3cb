package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.muond.v1.DataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A float32 tensor in memory, of fewer than 2^31 elements, in row-major order. It holds the array
 * it was made of, without a copy.
 */
public final class Tensor implements TensorData {
  private final long[] shape;
  private final float[] values;

  private Tensor(float[] values, long[] shape) {
    this.values = values;
    this.shape = shape;
  }

  /**
   * A tensor over {@code values}.
   *
   * @throws IllegalArgumentException if the shape does not have that many elements
   */
  public static Tensor of(float[] values, long... shape) {
    requireNonNull(values, "values is null");
    requireNonNull(shape, "shape is null");
    long elements = DataTypes.elements(shape);
    if (elements != values.length) {
      throw new IllegalArgumentException(
          "values: %d elements (expected: %d for the shape %s)"
              .formatted(values.length, elements, Arrays.toString(shape)));
    }
    return new Tensor(values, shape.clone());
  }

  /**
   * A tensor of zeros.
   *
   * @throws IllegalArgumentException if the shape has 2^31 elements or more
   */
  public static Tensor zeros(long... shape) {
    requireNonNull(shape, "shape is null");
    long elements = DataTypes.elements(shape);
    if (elements > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "shape: %s, %d elements (expected: fewer than 2^31)"
              .formatted(Arrays.toString(shape), elements));
    }
    return new Tensor(new float[(int) elements], shape.clone());
  }

  /** The elements themselves, not a copy. */
  public float[] values() {
    return values;
  }

  @Override
  public long[] shape() {
    return shape.clone();
  }

  @Override
  public DataType dataType() {
    return DataType.DATA_TYPE_FLOAT32;
  }

  @Override
  public long byteSize() {
    return (long) values.length * Float.BYTES;
  }

  @Override
  public void read(long offset, ByteBuffer into) {
    int count = into.remaining() / Float.BYTES;
    into.order(ByteOrder.LITTLE_ENDIAN)
        .asFloatBuffer()
        .put(values, (int) (offset / Float.BYTES), count);
    into.position(into.position() + count * Float.BYTES);
  }

  /** Stores the little-endian float32 elements of {@code bytes} at byte {@code offset}. */
  void write(long offset, ByteBuffer bytes) {
    bytes
        .order(ByteOrder.LITTLE_ENDIAN)
        .asFloatBuffer()
        .get(values, (int) (offset / Float.BYTES), bytes.remaining() / Float.BYTES);
  }

  @Override
  public String toString() {
    return "Tensor" + Arrays.toString(shape);
  }
}
