package io.muond.client;

import io.muond.v1.TensorChunk;
import io.muond.v1.WeightsHeader;
import java.util.LinkedHashMap;
import java.util.Map;

/** Gathers weights in memory, widened to float32. */
final class WeightsCollector implements WeightsSink {
  private WeightsHeader header = WeightsHeader.getDefaultInstance();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  @Override
  public void begin(WeightsHeader header) {
    this.header = header;
    tensors.clear();
  }

  @Override
  public void accept(TensorChunk chunk) {
    Tensor tensor =
        tensors.computeIfAbsent(
            chunk.getParameter(),
            name -> Tensor.zeros(chunk.getShapeList().stream().mapToLong(s -> s).toArray()));
    int bytes = DataTypes.bytes(chunk.getDataType());
    Elements.widen(
        chunk.getDataType(),
        chunk.getData().asReadOnlyByteBuffer(),
        tensor.values(),
        Math.toIntExact(chunk.getOffset() / bytes));
  }

  Map<String, Tensor> tensors() {
    return tensors;
  }

  Weights weights() {
    return new Weights(header.getIncarnation(), header.getStep(), tensors);
  }
}
