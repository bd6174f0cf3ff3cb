package io.muond.wire;

import com.google.protobuf.InvalidProtocolBufferException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A chunk inside a message's bytes. Is another one after each {@link #parse}. */
final class ReceivedChunk implements Chunk {
  private static final int VARINT = 0;
  private static final int BYTES = 2;
  private static final int PARAMETER = 1 << 3 | BYTES;
  private static final int DATA_TYPE = 2 << 3 | VARINT;
  private static final int SHAPE = 3 << 3 | VARINT;
  private static final int PACKED_SHAPE = 3 << 3 | BYTES;
  private static final int OFFSET = 4 << 3 | VARINT;
  private static final int DATA = 5 << 3 | BYTES;

  private final MessageBytes bytes;
  private String parameter = "";
  private int dataType;
  private long[] shape = new long[8];
  private int dimensions;
  private long offset;
  private int dataBegin;
  private int size;

  ReceivedChunk(MessageBytes bytes) {
    this.bytes = bytes;
  }

  /** Reads the chunk of {@code length} bytes at the position, and goes past it. */
  void parse(int length) throws InvalidProtocolBufferException {
    clear();
    int end = bytes.position() + length;
    while (bytes.position() < end) {
      int tag = bytes.tag(end);
      switch (tag) {
        case PARAMETER -> parameter = bytes.text(bytes.length(end));
        case DATA_TYPE -> dataType = (int) bytes.varint(end);
        case SHAPE -> addDimension(bytes.varint(end));
        case PACKED_SHAPE -> addDimensions(bytes.length(end));
        case OFFSET -> offset = bytes.varint(end);
        case DATA -> skipData(bytes.length(end));
        default -> bytes.skip(tag, end, 1);
      }
    }
  }

  private void clear() {
    parameter = "";
    dataType = 0;
    dimensions = 0;
    offset = 0;
    dataBegin = bytes.position();
    size = 0;
  }

  private void addDimensions(int length) throws InvalidProtocolBufferException {
    int end = bytes.position() + length;
    while (bytes.position() < end) {
      addDimension(bytes.varint(end));
    }
  }

  private void addDimension(long value) {
    if (dimensions == shape.length) {
      shape = Arrays.copyOf(shape, 2 * dimensions);
    }
    shape[dimensions++] = value;
  }

  private void skipData(int length) {
    dataBegin = bytes.position();
    size = length;
    bytes.seek(dataBegin + length);
  }

  @Override
  public String parameter() {
    return parameter;
  }

  @Override
  public int dataTypeValue() {
    return dataType;
  }

  @Override
  public List<Long> shape() {
    List<Long> list = new ArrayList<>(dimensions);
    for (int i = 0; i < dimensions; i++) {
      list.add(shape[i]);
    }
    return list;
  }

  @Override
  public boolean hasShape(List<Long> other) {
    if (other.size() != dimensions) {
      return false;
    }
    for (int i = 0; i < dimensions; i++) {
      if (other.get(i) != shape[i]) {
        return false;
      }
    }
    return true;
  }

  @Override
  public long offset() {
    return offset;
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public void read(int from, ByteBuffer into) {
    if (from < 0 || into.remaining() > size - from) {
      throw new IndexOutOfBoundsException(
          "bytes [" + from + ", +" + into.remaining() + ") of " + size);
    }
    bytes.copy(dataBegin + from, into);
  }
}
