package io.muond.wire;

import static java.util.Objects.requireNonNull;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.MessageLite;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.muond.v1.TensorChunk;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;

/**
 * A message with chunks of tensors that is about to be sent: the opposite of {@link
 * ChunkedMessage}. The bytes of the tensors are fetched when gRPC writes the message, which is
 * within the call that hands it over. It is written once.
 */
public final class OutgoingMessage extends InputStream implements Drainable, KnownLength {
  private static final int CHUNKS_FIELD = ChunkedMessage.CHUNKS_FIELD;

  private final MessageLite envelope;
  private final List<OutgoingChunk> chunks;
  private final int size;
  private boolean drained;
  private Exception failure;

  /** For whoever does not let it drain itself: its bytes. */
  private ByteArrayInputStream copy;

  /**
   * A message.
   *
   * @param envelope the message without its chunks
   */
  public OutgoingMessage(MessageLite envelope, List<OutgoingChunk> chunks) {
    this.envelope = requireNonNull(envelope, "envelope is null");
    this.chunks = requireNonNull(chunks, "chunks is null");
    int bytes = envelope.getSerializedSize();
    for (OutgoingChunk chunk : chunks) {
      int length = chunk.wireSize();
      bytes = Math.addExact(bytes, CodedOutputStream.computeTagSize(CHUNKS_FIELD));
      bytes = Math.addExact(bytes, CodedOutputStream.computeUInt32SizeNoTag(length));
      bytes = Math.addExact(bytes, length);
    }
    size = bytes;
  }

  /** The message without its chunks. */
  public MessageLite envelope() {
    return envelope;
  }

  /** Why the bytes of a tensor could not be fetched; null if they could. */
  public Exception failure() {
    return failure;
  }

  @Override
  public int drainTo(OutputStream out) throws IOException {
    if (copy != null) {
      return Math.toIntExact(copy.transferTo(out));
    }
    if (drained) {
      return 0;
    }
    drained = true;
    try {
      write(out);
    } catch (IOException | RuntimeException e) {
      failure = e;
      throw e;
    }
    return size;
  }

  private void write(OutputStream out) throws IOException {
    byte[] small = Scratch.small();
    for (OutgoingChunk chunk : chunks) {
      small[0] = CHUNKS_FIELD << 3 | 2;
      out.write(small, 0, varint(small, 1, chunk.wireSize()));
      out.write(chunk.head().bytes, 0, chunk.head().bytes.length);
      int length = 0;
      if (chunk.offset() != 0) {
        small[length++] = TensorChunk.OFFSET_FIELD_NUMBER << 3;
        length = varint(small, length, chunk.offset());
      }
      small[length++] = TensorChunk.DATA_FIELD_NUMBER << 3 | 2;
      out.write(small, 0, varint(small, length, chunk.size()));
      chunk.data().writeTo(out, chunk.offset(), chunk.size());
    }
    // Last, so that a commit comes after what it commits: a message in which a broken network has
    // repeated bytes ends before it.
    if (envelope.getSerializedSize() > 0) {
      envelope.writeTo(out);
    }
  }

  /** Writes a variable-length integer from an index on; returns the index behind it. */
  private static int varint(byte[] into, int from, long value) {
    int at = from;
    long left = value;
    while ((left & ~0x7FL) != 0) {
      into[at++] = (byte) (left | 0x80);
      left >>>= 7;
    }
    into[at++] = (byte) left;
    return at;
  }

  @Override
  public int available() {
    if (copy != null) {
      return copy.available();
    }
    return drained ? 0 : size;
  }

  @Override
  public int read() throws IOException {
    return copied().read();
  }

  @Override
  public int read(byte[] into, int at, int length) throws IOException {
    return copied().read(into, at, length);
  }

  private InputStream copied() throws IOException {
    if (copy == null) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream(available());
      drainTo(bytes);
      copy = new ByteArrayInputStream(bytes.toByteArray());
    }
    return copy;
  }
}
