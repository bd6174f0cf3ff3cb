package io.muond.server.rpc;

import com.google.protobuf.ByteString;
import io.muond.v1.Parameter;
import io.muond.v1.TensorChunk;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Whole tensors as arrays. */
final class FloatTensors {
  private FloatTensors() {}

  static int size(Parameter parameter) {
    return Math.toIntExact(parameter.getShapeList().stream().reduce(1L, (a, b) -> a * b));
  }

  static float[] random(int size, long seed) {
    Random random = new Random(seed);
    float[] x = new float[size];
    for (int i = 0; i < size; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }

  /** Chunks of at most {@code blocks} blocks. */
  static List<TensorChunk> chunks(Parameter parameter, float[] x, int blocks) {
    List<TensorChunk> chunks = new ArrayList<>();
    int step = blocks * TestClient.BLOCK / Float.BYTES;
    for (int at = 0; at < x.length; at += step) {
      float[] part = Arrays.copyOfRange(x, at, Math.min(x.length, at + step));
      chunks.add(TestClient.chunk(parameter, (long) at * Float.BYTES, part));
    }
    return chunks;
  }

  /** All weights of a model one after the other, in the order of declaration. */
  static float[] weights(TestClient client, String model) {
    ByteString all = client.weights(model).stream().reduce(ByteString.EMPTY, ByteString::concat);
    ByteBuffer bytes = all.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    float[] x = new float[all.size() / Float.BYTES];
    bytes.asFloatBuffer().get(x);
    return x;
  }

  /** One array after the other. */
  static float[] concat(float[]... parts) {
    float[] x = new float[Arrays.stream(parts).mapToInt(p -> p.length).sum()];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, x, at, part.length);
      at += part.length;
    }
    return x;
  }
}
