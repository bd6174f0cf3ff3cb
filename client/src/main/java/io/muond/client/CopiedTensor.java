package io.muond.client;

import io.muond.v1.DataType;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A copy of a tensor, in arrays that the next copy of a tensor of its size can take over. */
final class CopiedTensor implements TensorData {
  /** So that a tensor may be larger than an array; a multiple of every chunk's offset. */
  static final int SEGMENT = 1 << 26;

  private final long[] shape;
  private final DataType type;
  private final long bytes;
  private final byte[][] segments;

  private CopiedTensor(TensorData original, byte[][] segments) {
    this.shape = original.shape();
    this.type = original.dataType();
    this.bytes = original.byteSize();
    this.segments = segments;
  }

  /**
   * Copies a tensor.
   *
   * @param used whose memory is taken if it is of the same size: do not use it any more; or null
   * @throws IOException if the original cannot be read
   */
  static CopiedTensor of(TensorData original, CopiedTensor used) throws IOException {
    boolean fits = used != null && used.bytes == original.byteSize();
    CopiedTensor copy =
        new CopiedTensor(original, fits ? used.segments : segments(original.byteSize()));
    long offset = 0;
    for (byte[] segment : copy.segments) {
      original.read(offset, ByteBuffer.wrap(segment));
      offset += segment.length;
    }
    return copy;
  }

  private static byte[][] segments(long bytes) {
    byte[][] segments = new byte[Math.toIntExact((bytes + SEGMENT - 1) / SEGMENT)][];
    for (int i = 0; i < segments.length; i++) {
      segments[i] = new byte[(int) Math.min(SEGMENT, bytes - (long) i * SEGMENT)];
    }
    return segments;
  }

  @Override
  public long[] shape() {
    return shape.clone();
  }

  @Override
  public DataType dataType() {
    return type;
  }

  @Override
  public long byteSize() {
    return bytes;
  }

  @Override
  public void read(long offset, ByteBuffer into) {
    long from = offset;
    while (into.hasRemaining()) {
      byte[] segment = segments[(int) (from / SEGMENT)];
      int start = (int) (from % SEGMENT);
      int count = Math.min(into.remaining(), segment.length - start);
      into.put(segment, start, count);
      from += count;
    }
  }
}
