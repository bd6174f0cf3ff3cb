package io.muond.server.model;

import io.muond.v1.TensorChunk;
import io.muond.wire.Chunk;
import java.nio.ByteBuffer;
import java.util.List;

/** A chunk made in memory. */
public record ProtoChunk(TensorChunk chunk) implements Chunk {
  @Override
  public String parameter() {
    return chunk.getParameter();
  }

  @Override
  public int dataTypeValue() {
    return chunk.getDataTypeValue();
  }

  @Override
  public List<Long> shape() {
    return chunk.getShapeList();
  }

  @Override
  public boolean hasShape(List<Long> other) {
    return chunk.getShapeList().equals(other);
  }

  @Override
  public long offset() {
    return chunk.getOffset();
  }

  @Override
  public int size() {
    return chunk.getData().size();
  }

  @Override
  public void read(int from, ByteBuffer into) {
    into.put(chunk.getData().asReadOnlyByteBuffer().slice(from, into.remaining()));
  }
}
