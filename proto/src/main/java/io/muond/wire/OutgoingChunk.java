package io.muond.wire;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.OutputStream;

/**
 * A {@code muond.v1.TensorChunk} that is about to be sent.
 *
 * @param head of its tensor
 * @param offset where the data begins, in bytes from the start of the tensor
 * @param size bytes of data
 * @param data the bytes themselves
 */
public record OutgoingChunk(ChunkHead head, long offset, int size, Data data) {
  public OutgoingChunk {
    requireNonNull(head, "head is null");
    requireNonNull(data, "data is null");
  }

  /** Bytes of data that are somewhere else. */
  @FunctionalInterface
  public interface Data {
    /** Writes the {@code size} bytes from {@code offset} of the tensor on. */
    void writeTo(OutputStream out, long offset, int size) throws IOException;
  }

  /** Bytes of the chunk on the wire, without its tag and length. */
  int wireSize() {
    return Math.addExact(head.size(offset, size), size);
  }
}
