package io.muond.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import io.muond.v1.TensorChunk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * Cuts tensors into chunks that obey {@code tensor.proto} and packs them into messages: large
 * tensors one chunk to a message, small ones many. Lazy: one message's bytes exist at a time.
 */
final class Chunker implements Iterator<List<TensorChunk>> {
  /** The unit of offsets and lengths, in bytes. */
  static final int BLOCK = 65_536;

  /** The largest chunk, in bytes. */
  static final int MAX_CHUNK = 32 * BLOCK;

  /** Beside a chunk's name: tags, lengths, type, offset and up to four dimensions. */
  private static final int CHUNK_OVERHEAD = 80;

  private final Iterator<? extends Map.Entry<String, ? extends TensorData>> tensors;
  private final int chunkSize;
  private Map.Entry<String, ? extends TensorData> tensor;
  private long offset;

  /** Of the tensors in the map's order, in chunks of at most {@code chunkSize} bytes. */
  Chunker(Map<String, ? extends TensorData> tensors, int chunkSize) {
    if (chunkSize < BLOCK || chunkSize > MAX_CHUNK || chunkSize % BLOCK != 0) {
      throw new IllegalArgumentException(
          "chunk size: %d bytes (expected: a multiple of %d up to %d)"
              .formatted(chunkSize, BLOCK, MAX_CHUNK));
    }
    this.tensors = tensors.entrySet().iterator();
    this.chunkSize = chunkSize;
    advance();
  }

  @Override
  public boolean hasNext() {
    return tensor != null;
  }

  /** The chunks of one message, with at most {@code chunkSize} bytes of data together. */
  @Override
  public List<TensorChunk> next() {
    if (tensor == null) {
      throw new NoSuchElementException("every tensor was sent");
    }
    List<TensorChunk> chunks = new ArrayList<>();
    long size = 0;
    while (tensor != null && (chunks.isEmpty() || size + messageSize() <= chunkSize)) {
      size += messageSize();
      chunks.add(cut());
    }
    return chunks;
  }

  private int length() {
    return (int) Math.min(chunkSize, tensor.getValue().byteSize() - offset);
  }

  private long messageSize() {
    return length() + (long) tensor.getKey().length() + CHUNK_OVERHEAD;
  }

  private TensorChunk cut() {
    TensorData data = tensor.getValue();
    TensorChunk.Builder chunk =
        TensorChunk.newBuilder()
            .setParameter(tensor.getKey())
            .setDataType(data.dataType())
            .setOffset(offset)
            .setData(read(data, offset, length()));
    for (long size : data.shape()) {
      chunk.addShape(size);
    }
    offset += length();
    if (offset >= data.byteSize()) {
      advance();
    }
    return chunk.build();
  }

  private void advance() {
    tensor = tensors.hasNext() ? tensors.next() : null;
    offset = 0;
  }

  private static ByteString read(TensorData data, long offset, int length) {
    byte[] bytes = new byte[length];
    try {
      data.read(offset, ByteBuffer.wrap(bytes));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return UnsafeByteOperations.unsafeWrap(bytes);
  }
}
