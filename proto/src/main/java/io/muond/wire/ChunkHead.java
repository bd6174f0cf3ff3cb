package io.muond.wire;

import com.google.protobuf.CodedOutputStream;
import io.muond.v1.DataType;
import io.muond.v1.TensorChunk;

/** What all chunks of a tensor begin with: its name, type and shape, written once. */
public final class ChunkHead {
  final byte[] bytes;

  private ChunkHead(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * The head of a tensor's chunks.
   *
   * @param shape the size of each dimension
   */
  public static ChunkHead of(String parameter, DataType dataType, Iterable<Long> shape) {
    return new ChunkHead(
        TensorChunk.newBuilder()
            .setParameter(parameter)
            .setDataType(dataType)
            .addAllShape(shape)
            .build()
            .toByteArray());
  }

  /** Bytes of a chunk without those of its data. */
  int size(long offset, int length) {
    int size = bytes.length;
    if (offset != 0) {
      size += CodedOutputStream.computeInt64Size(TensorChunk.OFFSET_FIELD_NUMBER, offset);
    }
    return size
        + CodedOutputStream.computeTagSize(TensorChunk.DATA_FIELD_NUMBER)
        + CodedOutputStream.computeUInt32SizeNoTag(length);
  }
}
