package io.muond.server.model;

import io.muond.server.engine.ElementType;
import io.muond.v1.DataType;
import io.muond.wire.Chunk;
import io.muond.wire.Scratch;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;

/**
 * The arrival of one tensor: which of its blocks are here, and their digests. A block that arrives
 * again is compared by its digest. Without a target only digests are kept, to compare a repeated
 * step with the ledger.
 *
 * <p>Thread-safe. After {@link #close} nothing is written to the target any more.
 */
final class TensorStaging {
  static final int BLOCK_BYTES = 65_536;
  static final int MAX_CHUNK_BYTES = 32 * BLOCK_BYTES;

  private final ParameterSpec parameter;
  private final long floats;
  private final DeviceTensor target;
  private final BitSet arrived = new BitSet();
  private ElementType type;
  private int typeNumber;
  private long[] digests = {};
  private int missing = Integer.MAX_VALUE;
  private long receivedBytes;
  private MuondException closed;

  /**
   * @param target where its elements go; null to keep digests only
   */
  TensorStaging(ParameterSpec parameter, DeviceTensor target) {
    this.parameter = parameter;
    this.floats = parameter.floats();
    this.target = target;
  }

  /** Something that does not hold the same bytes as before has arrived. */
  static final class ConflictException extends Exception {
    private static final long serialVersionUID = 1L;

    ConflictException(String message) {
      super(message, null, false, false);
    }
  }

  /**
   * Takes a chunk. Blocks that are refused count as not having arrived.
   *
   * @return the bytes that were not here before
   */
  synchronized long stage(Chunk chunk) throws ConflictException {
    if (closed != null) {
      throw closed;
    }
    ElementType chunkType = requireType(chunk.dataType());
    requireShape(chunk);
    long total = Math.multiplyExact(floats, chunkType.bytes());
    requireRange(chunk, total);
    begin(chunkType, chunk.dataTypeValue(), total);
    int first = (int) (chunk.offset() / BLOCK_BYTES);
    int end = first + (chunk.size() + BLOCK_BYTES - 1) / BLOCK_BYTES;
    requireSame(chunk, first, end);
    long before = receivedBytes;
    for (int from = arrived.nextClearBit(first); from < end; ) {
      int to = Math.min(end, nextSet(from));
      receive(chunk, from, to);
      keep(from, to, total);
      from = arrived.nextClearBit(to);
    }
    return receivedBytes - before;
  }

  private int nextSet(int block) {
    int next = arrived.nextSetBit(block);
    return next < 0 ? Integer.MAX_VALUE : next;
  }

  private ElementType requireType(DataType dataType) {
    ElementType given = Wire.elementType(dataType);
    if (given == null) {
      throw Refusals.dataTypeMismatch(
          parameter.name(), dataType, "DATA_TYPE_FLOAT32, DATA_TYPE_BFLOAT16 or DATA_TYPE_FLOAT16");
    }
    if (!arrived.isEmpty() && given != type) {
      throw Refusals.dataTypeMismatch(
          parameter.name(), dataType, type + ", as in its earlier chunks");
    }
    return given;
  }

  private void requireShape(Chunk chunk) {
    if (!chunk.hasShape(parameter.shape())) {
      throw Refusals.shapeMismatch(parameter.name(), chunk.shape(), parameter.shape());
    }
  }

  private void requireRange(Chunk chunk, long total) {
    long offset = chunk.offset();
    long length = chunk.size();
    String name = parameter.name();
    if (offset < 0 || offset >= total || offset % BLOCK_BYTES != 0) {
      throw Refusals.badChunk(
          name, "offset", offset, "a multiple of 65536 from 0 to below " + total);
    }
    if (length < 1 || length > MAX_CHUNK_BYTES || length > total - offset) {
      throw Refusals.badChunk(
          name,
          "data of",
          length + " bytes",
          "1 to " + Math.min(MAX_CHUNK_BYTES, total - offset) + " bytes");
    }
    if (length % BLOCK_BYTES != 0 && offset + length != total) {
      throw Refusals.badChunk(
          name,
          "data of",
          length + " bytes",
          "a multiple of 65536, or up to the tensor's end at " + total);
    }
  }

  private void begin(ElementType chunkType, int number, long total) {
    if (arrived.isEmpty()) {
      int blocks = Math.toIntExact((total + BLOCK_BYTES - 1) / BLOCK_BYTES);
      digests = new long[blocks];
      missing = blocks;
      type = chunkType;
      typeNumber = number;
    }
  }

  /** Refuses other bytes than those of blocks that are here. */
  private void requireSame(Chunk chunk, int first, int end) throws ConflictException {
    for (int block = arrived.nextSetBit(first);
        block >= 0 && block < end;
        block = arrived.nextSetBit(block + 1)) {
      long before = digests[block];
      digestOnly(chunk, block, block + 1);
      long now = digests[block];
      digests[block] = before;
      if (now != before) {
        throw new ConflictException(
            "parameter \""
                + parameter.name()
                + "\" came again at offset "
                + (long) block * BLOCK_BYTES
                + " with other bytes (expected: the same)");
      }
    }
  }

  private void digestOnly(Chunk chunk, int from, int to) {
    DigestedChunk source = new DigestedChunk(chunk, parameter.index(), digests, from);
    long length = length(chunk, from, to);
    for (long done = 0; done < length; done += BLOCK_BYTES) {
      source.read(Scratch.get().limit((int) Math.min(BLOCK_BYTES, length - done)));
    }
  }

  /** Bytes of the chunk's blocks {@code from} to below {@code to}. */
  private static long length(Chunk chunk, int from, int to) {
    long end = Math.min(chunk.offset() + chunk.size(), (long) to * BLOCK_BYTES);
    return end - (long) from * BLOCK_BYTES;
  }

  /** Brings blocks to the target, and sets their digests. */
  private void receive(Chunk chunk, int from, int to) {
    if (target == null) {
      digestOnly(chunk, from, to);
      return;
    }
    DigestedChunk source = new DigestedChunk(chunk, parameter.index(), digests, from);
    long index = (long) from * (BLOCK_BYTES / type.bytes());
    long bad = target.receive(index, type, length(chunk, from, to) / type.bytes(), source);
    if (bad >= 0) {
      Arrays.fill(digests, from, to, 0);
      ByteBuffer element = ByteBuffer.allocate(type.bytes());
      chunk.read(Math.toIntExact((index + bad) * type.bytes() - chunk.offset()), element);
      throw Refusals.notFinite(
          parameter.name(), index + bad, Wire.notFiniteAt(type, element.flip(), 0));
    }
  }

  private void keep(int from, int to, long total) {
    for (int block = from; block < to; block++) {
      receivedBytes += Math.min(BLOCK_BYTES, total - (long) block * BLOCK_BYTES);
    }
    arrived.set(from, to);
    missing -= to - from;
  }

  synchronized boolean isComplete() {
    return missing == 0;
  }

  synchronized long receivedBytes() {
    return receivedBytes;
  }

  /** Bytes still to come; in float32 while the data type is not known. */
  synchronized long missingBytes() {
    int elementBytes = type == null ? Float.BYTES : type.bytes();
    return Math.multiplyExact(floats, elementBytes) - receivedBytes;
  }

  /** The digest of the tensor's bytes and data type, whatever the order of their arrival. */
  synchronized long contentDigest() {
    long sum = Mix64.chain(parameter.index(), typeNumber);
    for (long digest : digests) {
      sum += digest;
    }
    return sum;
  }

  /** Refuses everything from now on, for {@code reason}. Returns once no write is in progress. */
  synchronized void close(MuondException reason) {
    if (closed == null) {
      closed = reason;
    }
  }
}
