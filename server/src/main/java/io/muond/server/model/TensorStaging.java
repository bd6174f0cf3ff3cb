package io.muond.server.model;

import io.muond.server.engine.ElementType;
import io.muond.v1.DataType;
import io.muond.v1.TensorChunk;
import java.nio.ByteBuffer;
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
  synchronized long stage(TensorChunk chunk) throws ConflictException {
    if (closed != null) {
      throw closed;
    }
    ElementType chunkType = requireType(chunk.getDataType());
    requireShape(chunk);
    long total = Math.multiplyExact(parameter.floats(), (long) chunkType.bytes());
    requireRange(chunk, total);
    begin(chunkType, chunk.getDataTypeValue(), total);
    ByteBuffer bytes = chunk.getData().asReadOnlyByteBuffer();
    int first = (int) (chunk.getOffset() / BLOCK_BYTES);
    long[] fresh = digest(first, bytes);
    requireSame(first, fresh);
    long before = receivedBytes;
    for (int i = 0; i < fresh.length; ) {
      int from = arrived.nextClearBit(first + i) - first;
      int to = Math.min(fresh.length, nextSet(first + from) - first);
      if (from < fresh.length) {
        receive(first + from, slice(bytes, from, to));
        keep(first, from, to, fresh, total);
      }
      i = Math.max(to, from);
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

  private void requireShape(TensorChunk chunk) {
    if (!chunk.getShapeList().equals(parameter.shape())) {
      throw Refusals.shapeMismatch(parameter.name(), chunk.getShapeList(), parameter.shape());
    }
  }

  private void requireRange(TensorChunk chunk, long total) {
    long offset = chunk.getOffset();
    long length = chunk.getData().size();
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

  private long[] digest(int first, ByteBuffer bytes) {
    long[] fresh = new long[(bytes.remaining() + BLOCK_BYTES - 1) / BLOCK_BYTES];
    for (int i = 0; i < fresh.length; i++) {
      long offset = (long) (first + i) * BLOCK_BYTES;
      fresh[i] = Mix64.digest(parameter.index(), offset, slice(bytes, i, i + 1));
    }
    return fresh;
  }

  private static ByteBuffer slice(ByteBuffer bytes, int fromBlock, int toBlock) {
    int from = fromBlock * BLOCK_BYTES;
    int to = Math.min(bytes.limit(), toBlock * BLOCK_BYTES);
    return bytes.slice(from, to - from);
  }

  private void requireSame(int first, long[] fresh) throws ConflictException {
    for (int i = 0; i < fresh.length; i++) {
      if (arrived.get(first + i) && digests[first + i] != fresh[i]) {
        throw new ConflictException(
            "parameter \""
                + parameter.name()
                + "\" came again at offset "
                + (long) (first + i) * BLOCK_BYTES
                + " with other bytes (expected: the same)");
      }
    }
  }

  private void receive(int block, ByteBuffer bytes) {
    if (target == null) {
      return;
    }
    long index = (long) block * (BLOCK_BYTES / type.bytes());
    long bad = target.receive(index, type, bytes.duplicate());
    if (bad >= 0) {
      throw Refusals.notFinite(
          parameter.name(), index + bad, Wire.notFiniteAt(type, bytes, (int) bad));
    }
  }

  private void keep(int first, int from, int to, long[] fresh, long total) {
    for (int i = from; i < to; i++) {
      digests[first + i] = fresh[i];
      long offset = (long) (first + i) * BLOCK_BYTES;
      receivedBytes += Math.min(BLOCK_BYTES, total - offset);
    }
    arrived.set(first + from, first + to);
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
    return Math.multiplyExact(parameter.floats(), (long) elementBytes) - receivedBytes;
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
