package io.muond.kernels;

/**
 * Where elements that follow each other outside lie on the device: number e of each block of {@code
 * hands · cards} at place (e mod hands) · cards + ⌊e / hands⌋ of it.
 *
 * @param pointer device pointer to the float32 from which on blocks lie
 * @param hands 1 where elements lie as they come
 * @param first the number of the first element that is meant
 */
public record Dealt(long pointer, long hands, long cards, long first) {
  /** Elements that lie as they come. */
  public static Dealt inOrder(long pointer) {
    return new Dealt(pointer, 1, 1, 0);
  }

  boolean isInOrder() {
    return hands == 1;
  }

  /** Of the first element, where they are in order. */
  long start() {
    return pointer + first * Float.BYTES;
  }

  /** As the kernels take it. */
  long[] argument() {
    return new long[] {pointer, hands, cards, first};
  }
}
