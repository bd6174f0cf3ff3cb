package io.muond.server.model;

import io.muond.server.engine.Memory;
import io.muond.wire.Chunk;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;

/**
 * Gives blocks of a chunk to whoever takes them, and digests them on their way, while they are in
 * the caches.
 */
final class DigestedChunk implements Memory.Source {
  private static final int BLOCK = TensorStaging.BLOCK_BYTES;

  private final Chunk chunk;
  private final long key;
  private final long[] digests;

  /** Two checksums of the present block: 64 bits, by instructions that processors have. */
  private final CRC32C first = new CRC32C();

  private final CRC32 second = new CRC32();

  /** Where the next byte is in the chunk. */
  private int at;

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
    int limit = into.limit();
    while (into.position() < limit) {
      int begin = into.position();
      into.limit(begin + Math.min(limit - begin, BLOCK - at % BLOCK));
      chunk.read(at, into);
      first.update(into.position(begin));
      second.update(into.position(begin));
      at += into.position() - begin;
      if (at % BLOCK == 0 || at == chunk.size()) {
        endBlock();
      }
      into.limit(limit);
    }
  }

  private void endBlock() {
    int block = (int) ((chunk.offset() + at - 1) / BLOCK);
    digests[block] = Mix64.block(key, block, first.getValue() << 32 | second.getValue());
    first.reset();
    second.reset();
  }
}
