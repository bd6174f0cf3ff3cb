package io.muond.client;

import io.muond.wire.ChunkHead;
import io.muond.wire.OutgoingChunk;
import io.muond.wire.Scratch;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * Cuts tensors into chunks that obey {@code tensor.proto} and packs them into messages: large
 * tensors one chunk to a message, small ones many. Lazy: bytes are read when a message is written.
 */
final class Chunker implements Iterator<List<OutgoingChunk>> {
  /** The unit of offsets and lengths, in bytes. */
  static final int BLOCK = 65_536;

  /** The largest chunk, in bytes. */
  static final int MAX_CHUNK = 32 * BLOCK;

  /** Beside a chunk's name: tags, lengths, type, offset and up to four dimensions. */
  private static final int CHUNK_OVERHEAD = 80;

  private final Iterator<? extends Map.Entry<String, ? extends TensorData>> tensors;
  private final int chunkSize;
  private Map.Entry<String, ? extends TensorData> tensor;
  private ChunkHead head;
  private OutgoingChunk.Data data;
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
  public List<OutgoingChunk> next() {
    if (tensor == null) {
      throw new NoSuchElementException("every tensor was sent");
    }
    List<OutgoingChunk> chunks = new ArrayList<>();
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

  private OutgoingChunk cut() {
    int length = length();
    OutgoingChunk chunk = new OutgoingChunk(head, offset, length, data);
    offset += length;
    if (offset >= tensor.getValue().byteSize()) {
      advance();
    }
    return chunk;
  }

  private void advance() {
    tensor = tensors.hasNext() ? tensors.next() : null;
    offset = 0;
    if (tensor != null) {
      TensorData next = tensor.getValue();
      head =
          ChunkHead.of(
              tensor.getKey(), next.dataType(), Arrays.stream(next.shape()).boxed().toList());
      data = (out, from, size) -> write(next, out, from, size);
    }
  }

  private static void write(TensorData data, OutputStream out, long offset, int size)
      throws IOException {
    for (int done = 0; done < size; ) {
      ByteBuffer scratch = Scratch.get();
      scratch.limit(Math.min(scratch.capacity(), size - done));
      int length = scratch.remaining();
      data.read(offset + done, scratch);
      Scratch.write(scratch.flip(), out);
      done += length;
    }
  }
}
