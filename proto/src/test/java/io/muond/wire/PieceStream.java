package io.muond.wire;

import io.grpc.HasByteBuffer;
import io.grpc.KnownLength;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Bytes in pieces that lie apart, as gRPC hands a message over. Closing it spoils the bytes. */
final class PieceStream extends InputStream implements HasByteBuffer, KnownLength {
  private final List<ByteBuffer> pieces = new ArrayList<>();
  private int piece;
  private boolean marked;
  private boolean closed;

  /** Cuts {@code bytes} into pieces of random lengths. */
  PieceStream(byte[] bytes, RandomGenerator random, int longest) {
    for (int at = 0; at < bytes.length; ) {
      int length = Math.min(bytes.length - at, 1 + random.nextInt(longest));
      int before = random.nextInt(3);
      ByteBuffer piece =
          random.nextBoolean()
              ? ByteBuffer.allocateDirect(before + length)
              : ByteBuffer.allocate(before + length);
      piece.position(before).put(bytes, at, length).position(before);
      pieces.add(piece);
      at += length;
    }
  }

  boolean isClosed() {
    return closed;
  }

  @Override
  public boolean byteBufferSupported() {
    return true;
  }

  @Override
  public ByteBuffer getByteBuffer() {
    return pieces.get(piece).slice().asReadOnlyBuffer();
  }

  @Override
  public boolean markSupported() {
    return true;
  }

  @Override
  public synchronized void mark(int limit) {
    marked = true;
  }

  @Override
  public long skip(long n) {
    if (!marked) {
      throw new IllegalStateException("the bytes skipped would be given back");
    }
    ByteBuffer current = pieces.get(piece);
    int some = (int) Math.min(n, current.remaining());
    ByteBuffer left = current.slice(current.position() + some, current.remaining() - some);
    if (left.hasRemaining()) {
      throw new IllegalStateException("pieces are read whole");
    }
    piece++;
    return some;
  }

  @Override
  public int available() {
    int left = 0;
    for (ByteBuffer each : pieces.subList(piece, pieces.size())) {
      left += each.remaining();
    }
    return left;
  }

  @Override
  public int read() {
    throw new IllegalStateException("bytes are read by pieces");
  }

  @Override
  public int read(byte[] into, int at, int length) {
    return read();
  }

  @Override
  public void close() {
    closed = true;
    for (ByteBuffer each : pieces) {
      for (int i = 0; i < each.limit(); i++) {
        each.put(i, (byte) 0xEE);
      }
    }
  }
}
