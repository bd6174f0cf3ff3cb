package io.muond.client.cli;

import io.muond.client.Progress;
import io.muond.client.TensorData;
import io.muond.v1.DataType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** A tensor whose reading moves a progress bar. */
record Metered(TensorData data, AtomicLong done, Progress progress) implements TensorData {
  /** Tensors that share one bar, in bytes. */
  static Map<String, TensorData> wrap(Map<String, TensorData> tensors, Progress progress) {
    AtomicLong done = new AtomicLong();
    Map<String, TensorData> metered = new LinkedHashMap<>();
    tensors.forEach((name, data) -> metered.put(name, new Metered(data, done, progress)));
    return metered;
  }

  @Override
  public long[] shape() {
    return data.shape();
  }

  @Override
  public DataType dataType() {
    return data.dataType();
  }

  @Override
  public long byteSize() {
    return data.byteSize();
  }

  @Override
  public void read(long offset, ByteBuffer into) throws IOException {
    int bytes = into.remaining();
    data.read(offset, into);
    progress.update(done.addAndGet(bytes));
  }
}
