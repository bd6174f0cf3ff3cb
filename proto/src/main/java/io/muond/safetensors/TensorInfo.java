package io.muond.safetensors;

import static java.util.Objects.requireNonNull;

import java.util.List;

/**
 * A tensor as the header declares it.
 *
 * @param name its name
 * @param dtype its elements' type
 * @param shape its dimensions; () is a scalar
 * @param begin offset of its first byte, from the end of the header
 * @param end offset behind its last byte
 */
public record TensorInfo(String name, Dtype dtype, List<Long> shape, long begin, long end) {
  public TensorInfo {
    requireNonNull(name, "name is null");
    requireNonNull(dtype, "dtype is null");
    shape = List.copyOf(shape);
  }

  /** The number of elements. */
  public long elements() {
    return elements(shape);
  }

  /** The number of bytes. */
  public long bytes() {
    return end - begin;
  }

  /**
   * The product of the dimensions.
   *
   * @throws ArithmeticException if it passes 64 bits
   */
  static long elements(List<Long> shape) {
    if (shape.contains(0L)) {
      return 0;
    }
    long product = 1;
    for (long dimension : shape) {
      product = Math.multiplyExact(product, dimension);
    }
    return product;
  }
}
