package io.muond.server.model;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * 64-bit mixing: seeds and content digests are made of it, and both are kept in checkpoints, so it
 * never changes. The finalizer is that of SplitMix64 (Steele, Lea, Flood, "Fast Splittable
 * Pseudorandom Number Generators", 2014).
 */
final class Mix64 {
  /** 2⁶⁴ divided by the golden ratio, odd: multiples of it are well spread. */
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private Mix64() {}

  static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** Continues the hash {@code h} by one more value. Depends on the order. */
  static long chain(long h, long value) {
    return mix((h + GOLDEN) ^ mix(value + GOLDEN));
  }

  /** Continues the hash {@code h} by a text. */
  static long chain(long h, String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    return chain(h, utf8);
  }

  /** Continues the hash {@code h} by bytes and their number. */
  static long chain(long h, byte[] bytes) {
    long state = chain(h, bytes.length);
    for (byte b : bytes) {
      state = chain(state, b);
    }
    return state;
  }

  /**
   * The seed of one matrix: a function of the model's seed, the parameter's name and the matrix's
   * index in it alone, so that it does not depend on what else the model holds.
   */
  static long seed(long seed, String parameter, long matrix) {
    return chain(chain(mix(seed), parameter), matrix);
  }

  /**
   * A word's share of a tensor's digest, which is the sum, over its 8-byte little-endian words (the
   * last one padded with zeros), of a mix of the word with its position. Sums of pieces do not
   * depend on how the tensor was cut.
   *
   * @param key differs between tensors
   * @param offset of the word's first byte in its tensor, a multiple of 8
   */
  static long digest(long key, long offset, long word) {
    return mix(word ^ place(key, offset));
  }

  /**
   * As {@link #digest(long, long, long)}, of words that follow each other.
   *
   * @param bytes little-endian; words from index {@code from} to below {@code to}
   */
  static long digest(long key, long offset, ByteBuffer bytes, int from, int to) {
    long place = place(key, offset);
    long sum = 0;
    for (int at = from; at < to; at += Long.BYTES) {
      sum += mix(bytes.getLong(at) ^ place);
      place += GOLDEN;
    }
    return sum;
  }

  private static long place(long key, long offset) {
    return mix(key) + (offset >>> 3) * GOLDEN;
  }
}
