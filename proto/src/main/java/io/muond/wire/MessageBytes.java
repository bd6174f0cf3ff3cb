package io.muond.wire;

import com.google.protobuf.InvalidProtocolBufferException;
import io.grpc.Detachable;
import io.grpc.HasByteBuffer;
import io.grpc.KnownLength;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The bytes of a message, in the pieces in which gRPC received them, and a position in them. Reads
 * as protobuf does: what it refuses is refused, what it takes is taken.
 */
final class MessageBytes {
  /** As deep as protobuf follows messages and groups inside each other. */
  static final int MAX_DEPTH = 100;

  private static final int PIECES = 6;

  private InputStream stream;
  private ByteBuffer[] pieces = new ByteBuffer[PIECES];
  private int count;
  private int size;

  private int position;

  /** The piece that holds the position, and where that piece begins. */
  private int piece;

  private int pieceBegin;

  /**
   * Takes the pieces of a message. They stay where they are, and live until the stream is closed.
   */
  MessageBytes(InputStream stream) throws IOException {
    this.stream = stream;
    if (stream instanceof HasByteBuffer buffers
        && stream instanceof KnownLength
        && stream.markSupported()
        && buffers.byteBufferSupported()) {
      // Else what is skipped would be given back.
      stream.mark(Integer.MAX_VALUE);
      while (stream.available() > 0) {
        ByteBuffer next = buffers.getByteBuffer();
        int length = next.remaining();
        add(next.position() == 0 ? next : next.slice());
        stream.skipNBytes(length);
      }
    } else {
      add(ByteBuffer.wrap(stream.readAllBytes()));
    }
  }

  private void add(ByteBuffer next) {
    if (count == pieces.length) {
      pieces = Arrays.copyOf(pieces, 2 * count);
    }
    pieces[count++] = next;
    size += next.remaining();
  }

  /** Keeps the bytes when the call that they came with goes on. They must be closed then. */
  void detach() {
    if (stream instanceof Detachable detachable) {
      stream = detachable.detach();
    }
  }

  /** Gives the bytes back. */
  void close() throws IOException {
    stream.close();
  }

  int size() {
    return size;
  }

  int position() {
    return position;
  }

  /** Goes to a position; those behind are found from where it is, those before from the start. */
  void seek(int to) {
    if (to < pieceBegin) {
      piece = 0;
      pieceBegin = 0;
    }
    position = to;
    while (piece < count - 1 && to >= pieceBegin + pieces[piece].limit()) {
      pieceBegin += pieces[piece++].limit();
    }
  }

  /** The next byte; the caller knows that there is one. */
  private byte next() {
    if (position >= pieceBegin + pieces[piece].limit()) {
      seek(position);
    }
    return pieces[piece].get(position++ - pieceBegin);
  }

  /** A variable-length integer that ends before {@code end}. */
  long varint(int end) throws InvalidProtocolBufferException {
    long value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (position >= end) {
        throw truncated();
      }
      byte b = next();
      value |= (b & 0x7FL) << shift;
      if (b >= 0) {
        return value;
      }
    }
    throw new InvalidProtocolBufferException("a varint of more than ten bytes");
  }

  /** A tag: a field's number and wire type. */
  int tag(int end) throws InvalidProtocolBufferException {
    int tag = (int) varint(end);
    if (tag >>> 3 == 0) {
      throw new InvalidProtocolBufferException("a field of number 0");
    }
    return tag;
  }

  /** A length of what ends before {@code end}. */
  int length(int end) throws InvalidProtocolBufferException {
    int length = (int) varint(end);
    if (length < 0) {
      throw new InvalidProtocolBufferException("a negative length");
    }
    if (length > end - position) {
      throw truncated();
    }
    return length;
  }

  /** Goes past the value of a field. */
  void skip(int tag, int end, int depth) throws InvalidProtocolBufferException {
    switch (tag & 7) {
      case 0 -> varint(end);
      case 1 -> advance(8, end);
      case 2 -> advance(length(end), end);
      case 3 -> skipGroup(tag >>> 3, end, depth + 1);
      case 5 -> advance(4, end);
      default -> throw new InvalidProtocolBufferException("wire type " + (tag & 7));
    }
  }

  private void skipGroup(int number, int end, int depth) throws InvalidProtocolBufferException {
    if (depth > MAX_DEPTH) {
      throw new InvalidProtocolBufferException("groups inside each other to depth " + depth);
    }
    while (true) {
      int tag = tag(end);
      if ((tag & 7) == 4) {
        if (tag >>> 3 != number) {
          throw new InvalidProtocolBufferException("the end of another group");
        }
        return;
      }
      skip(tag, end, depth);
    }
  }

  private void advance(int by, int end) throws InvalidProtocolBufferException {
    if (by > end - position) {
      throw truncated();
    }
    seek(position + by);
  }

  /** Text of so many bytes from the position on, which the caller knows to be there. */
  String text(int length) throws InvalidProtocolBufferException {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = next();
    }
    String text = new String(bytes, StandardCharsets.UTF_8);
    // What cannot be decoded became this; whether it came as such is rarely the question.
    if (text.indexOf('\uFFFD') >= 0) {
      requireUtf8(bytes);
    }
    return text;
  }

  private static void requireUtf8(byte[] bytes) throws InvalidProtocolBufferException {
    CharsetDecoder strict = StandardCharsets.UTF_8.newDecoder();
    try {
      strict.decode(ByteBuffer.wrap(bytes));
    } catch (CharacterCodingException e) {
      throw new InvalidProtocolBufferException("a text that is not UTF-8");
    }
  }

  /** Copies bytes from {@code from} on; leaves the position where it is. */
  void copy(int from, byte[] into, int at, int length) {
    copy(from, ByteBuffer.wrap(into, at, length));
  }

  /** Fills {@code into} with bytes from {@code from} on; leaves the position where it is. */
  void copy(int from, ByteBuffer into) {
    int begin = 0;
    int i = 0;
    if (from >= pieceBegin) {
      begin = pieceBegin;
      i = piece;
    }
    int at = from;
    while (into.hasRemaining()) {
      int limit = pieces[i].limit();
      if (at < begin + limit) {
        int some = Math.min(into.remaining(), begin + limit - at);
        into.put(into.position(), pieces[i], at - begin, some);
        into.position(into.position() + some);
        at += some;
      }
      begin += limit;
      i++;
    }
  }

  private static InvalidProtocolBufferException truncated() {
    return new InvalidProtocolBufferException("the message ends within a field");
  }
}
