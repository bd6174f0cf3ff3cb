package io.muond.client.cli;

import io.muond.client.TensorData;
import io.muond.v1.DataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A vector of numbers that costs a copy to send and no memory, whatever its size. */
record Ramp(long elements) implements TensorData {
  private static final byte[] PERIOD = period();

  private static byte[] period() {
    ByteBuffer bytes = ByteBuffer.allocate(1 << 20).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; bytes.hasRemaining(); i++) {
      bytes.putFloat(i % 1_000 + 1);
    }
    return bytes.array();
  }

  @Override
  public long[] shape() {
    return new long[] {elements};
  }

  @Override
  public DataType dataType() {
    return DataType.DATA_TYPE_FLOAT32;
  }

  @Override
  public long byteSize() {
    return Math.multiplyExact(elements, Float.BYTES);
  }

  @Override
  public void read(long offset, ByteBuffer into) {
    int start = (int) (offset % PERIOD.length);
    while (into.hasRemaining()) {
      int count = Math.min(into.remaining(), PERIOD.length - start);
      into.put(PERIOD, start, count);
      start = 0;
    }
  }
}
