package io.muond.bench;

import com.google.protobuf.Duration;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.OpenStep;
import io.muond.client.ReadOptions;
import io.muond.client.TensorData;
import io.muond.client.WeightsSink;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DataType;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.WeightsHeader;
import io.muond.wire.Chunk;
import java.nio.ByteBuffer;
import java.util.Map;

/** Gradients up, weights down. */
final class MuondMoving implements Contender.Moving {
  private final MuondClient client;
  private final ModelHandle model;
  private final Resident tensor;

  MuondMoving(String address, long bytes) {
    tensor = new Resident(bytes);
    client = MuondClient.connect(address);
    // A sphere: its initial weights are made fast.
    Parameter parameter =
        Parameter.newBuilder()
            .setName("w")
            .addShape(bytes / Float.BYTES)
            .setManifold(Manifold.MANIFOLD_SPHERE)
            .build();
    model =
        client.createModel(
            CreateModelRequest.newBuilder()
                .setModel("bench-" + bytes)
                .setParameters(ParameterList.newBuilder().addParameters(parameter))
                .setSeed(1)
                .setLeaseTtl(Duration.newBuilder().setSeconds(60))
                .build());
  }

  @Override
  public void push() {
    OpenStep step = model.openStep();
    step.fill(Map.of("w", new Gradient(tensor)));
    step.abort();
  }

  @Override
  public void pull() {
    model.readWeights(ReadOptions.ALL, new Weights(tensor));
  }

  @Override
  public void close() {
    model.delete();
    client.close();
  }

  private record Gradient(Resident tensor) implements TensorData {
    @Override
    public long[] shape() {
      return new long[] {tensor.bytes() / Float.BYTES};
    }

    @Override
    public DataType dataType() {
      return DataType.DATA_TYPE_FLOAT32;
    }

    @Override
    public long byteSize() {
      return tensor.bytes();
    }

    @Override
    public void read(long offset, ByteBuffer into) {
      for (long at = offset; into.hasRemaining(); ) {
        ByteBuffer piece = tensor.piece(at, into.remaining());
        at += piece.remaining();
        into.put(piece);
      }
    }
  }

  private record Weights(Resident tensor) implements WeightsSink {
    @Override
    public void begin(WeightsHeader header) {}

    @Override
    public void accept(Chunk chunk) {
      for (int done = 0; done < chunk.size(); ) {
        ByteBuffer piece = tensor.piece(chunk.offset() + done, chunk.size() - done);
        done += piece.remaining();
        chunk.read(done - piece.remaining(), piece);
      }
    }
  }
}
