package io.muond.server.model;

import io.muond.server.engine.Memory;
import io.muond.wire.Chunk;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Gives blocks of a chunk to whoever takes them, and digests them on their way, while they are in
 * the caches.
 */
final class DigestedChunk implements Memory.Source {
  private static final int BLOCK = TensorStaging.BLOCK_BYTES;

  private final Chunk chunk;
  private final long key;
  private final long[] digests;

  /** Where the next byte is in the chunk. */
  private int at;

  /** Bytes of a word that is not complete yet. */
  private long word;

  private int wordBytes;

  /**
   * @param key of the tensor's digest
   * @param digests of the tensor's blocks, by their number: set as the blocks pass
   * @param block the first one to give
   */
  DigestedChunk(Chunk chunk, long key, long[] digests, int block) {
    this.chunk = chunk;
    this.key = key;
    this.digests = digests;
    this.at = Math.toIntExact((long) block * BLOCK - chunk.offset());
  }

  @Override
  public void read(ByteBuffer into) {
    into.order(ByteOrder.LITTLE_ENDIAN);
    int limit = into.limit();
    while (into.position() < limit) {
      int some = Math.min(limit - into.position(), BLOCK - at % BLOCK);
      int begin = into.position();
      chunk.read(at, into.limit(begin + some));
      digest(into, begin, begin + some);
    }
  }

  /** Digests bytes of one block. */
  private void digest(ByteBuffer bytes, int from, int to) {
    long offset = chunk.offset() + at;
    int block = (int) (offset / BLOCK);
    long sum = offset % BLOCK == 0 ? 0 : digests[block];
    int i = from;
    while (wordBytes > 0 && i < to) {
      sum += put(bytes.get(i), offset + i - from);
      i++;
    }
    int words = i + (to - i) / Long.BYTES * Long.BYTES;
    sum += Mix64.digest(key, offset + i - from, bytes, i, words);
    for (i = words; i < to; i++) {
      sum += put(bytes.get(i), offset + i - from);
    }
    at += to - from;
    if (at == chunk.size()) {
      sum += flush(offset + to - from);
    }
    digests[block] = sum;
  }

  /** Adds a byte to the word; returns the word's digest once it is complete, else 0. */
  private long put(byte b, long offset) {
    word |= (b & 0xFFL) << (Byte.SIZE * wordBytes++);
    return wordBytes == Long.BYTES ? flush(offset + 1) : 0;
  }

  /** The digest of the word that ends at {@code end}, padded with zeros; 0 if there is none. */
  private long flush(long end) {
    if (wordBytes == 0) {
      return 0;
    }
    long digest = Mix64.digest(key, end - wordBytes, word);
    word = 0;
    wordBytes = 0;
    return digest;
  }
}
