package io.muond.server.model;

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
   * The digest of a block of a tensor. A tensor's is the sum of its blocks', so that their order
   * does not matter.
   *
   * @param key differs between tensors
   * @param checksum of the block's bytes
   */
  static long block(long key, long block, long checksum) {
    return chain(chain(mix(key), block), checksum);
  }
}
