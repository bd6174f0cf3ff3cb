package io.muond.wire;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.function.Consumer;

/**
 * A received message that may have chunks of tensors: FillStepRequest, StepRequest,
 * WriteWeightsRequest, and the answers with weights. In all of them chunks are field 2.
 *
 * <p>Everything but the chunks is parsed by protobuf. Of the chunks only the small fields are read;
 * the data stays where gRPC received it, until the message is closed or, unless it was {@linkplain
 * #detach detached}, the call goes on. Not thread-safe.
 *
 * @param <M> the message
 */
public final class ChunkedMessage<M extends MessageLite> implements AutoCloseable {
  static final int CHUNKS_FIELD = 2;
  private static final int CHUNKS_TAG = CHUNKS_FIELD << 3 | 2;

  private final MessageBytes bytes;
  private final M envelope;
  private final int chunkCount;

  /** What {@link #forEachChunk} shows; at first the last chunk. */
  private final ReceivedChunk chunk;

  private ChunkedMessage(MessageBytes bytes, M envelope, int chunkCount, ReceivedChunk chunk) {
    this.bytes = bytes;
    this.envelope = envelope;
    this.chunkCount = chunkCount;
    this.chunk = chunk;
  }

  /**
   * Reads a message.
   *
   * @param prototype its kind
   * @throws InvalidProtocolBufferException if protobuf would not parse it
   */
  @SuppressWarnings("unchecked")
  public static <M extends MessageLite> ChunkedMessage<M> parse(InputStream stream, M prototype)
      throws IOException {
    MessageBytes bytes = new MessageBytes(stream);
    Rest rest = new Rest();
    int chunks = 0;
    ReceivedChunk chunk = new ReceivedChunk(bytes);
    while (bytes.position() < bytes.size()) {
      int begin = bytes.position();
      int tag = bytes.tag(bytes.size());
      if (tag == CHUNKS_TAG) {
        chunk.parse(bytes.length(bytes.size()));
        chunks++;
      } else {
        bytes.skip(tag, bytes.size(), 0);
        rest.add(bytes, begin);
      }
    }
    M envelope =
        rest.length == 0
            ? prototype
            : (M) prototype.getParserForType().parseFrom(rest.bytes, 0, rest.length);
    return new ChunkedMessage<>(bytes, envelope, chunks, chunk);
  }

  /** The message without its chunks. */
  public M envelope() {
    return envelope;
  }

  /** How many chunks there are. */
  public int chunkCount() {
    return chunkCount;
  }

  /**
   * Shows each chunk to {@code action}, in order. What it is shown is one object, which is another
   * chunk afterwards.
   */
  public void forEachChunk(Consumer<? super Chunk> action) {
    if (chunkCount == 0) {
      return;
    }
    if (chunkCount == 1) {
      action.accept(chunk);
      return;
    }
    int end = bytes.size();
    try {
      for (bytes.seek(0); bytes.position() < end; ) {
        int tag = bytes.tag(end);
        if (tag == CHUNKS_TAG) {
          chunk.parse(bytes.length(end));
          int next = bytes.position();
          action.accept(chunk);
          bytes.seek(next);
        } else {
          bytes.skip(tag, end, 0);
        }
      }
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError("a message that was parsed before", e);
    }
  }

  /** Keeps the chunks when the call goes on. The message must then be closed. */
  public void detach() {
    bytes.detach();
  }

  /** Gives the memory of the chunks back to gRPC. */
  @Override
  public void close() {
    try {
      bytes.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What is not chunks, copied together. */
  private static final class Rest {
    private static final byte[] NONE = {};
    private byte[] bytes = NONE;
    private int length;

    /** Adds the bytes from {@code begin} to the position. */
    private void add(MessageBytes from, int begin) {
      int more = from.position() - begin;
      if (length + more > bytes.length) {
        byte[] larger = new byte[Math.max(length + more, 2 * bytes.length)];
        System.arraycopy(bytes, 0, larger, 0, length);
        bytes = larger;
      }
      from.copy(begin, bytes, length, more);
      length += more;
    }
  }
}
