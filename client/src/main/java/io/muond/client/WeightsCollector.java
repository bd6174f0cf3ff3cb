package io.muond.client;

import io.muond.v1.DataType;
import io.muond.v1.WeightsHeader;
import io.muond.wire.Chunk;
import io.muond.wire.Scratch;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/** Gathers weights in memory, widened to float32. */
final class WeightsCollector implements WeightsSink {
  private WeightsHeader header = WeightsHeader.getDefaultInstance();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  /** The tensor that the last chunk was of. */
  private String name;

  private Tensor tensor;

  @Override
  public void begin(WeightsHeader header) {
    this.header = header;
    tensors.clear();
    name = null;
  }

  @Override
  public void accept(Chunk chunk) {
    if (!chunk.parameter().equals(name)) {
      name = chunk.parameter();
      tensor = tensors.computeIfAbsent(name, any -> zeros(chunk));
    }
    DataType type = chunk.dataType();
    int bytes = DataTypes.bytes(type);
    for (int done = 0; done < chunk.size(); ) {
      ByteBuffer scratch = Scratch.get();
      scratch.limit(Math.min(scratch.capacity(), chunk.size() - done));
      chunk.read(done, scratch);
      int start = Math.toIntExact((chunk.offset() + done) / bytes);
      Elements.widen(type, scratch.flip(), tensor.values(), start);
      done += scratch.limit();
    }
  }

  private static Tensor zeros(Chunk chunk) {
    return Tensor.zeros(chunk.shape().stream().mapToLong(s -> s).toArray());
  }

  Map<String, Tensor> tensors() {
    return tensors;
  }

  Weights weights() {
    return new Weights(header.getIncarnation(), header.getStep(), tensors);
  }
}
