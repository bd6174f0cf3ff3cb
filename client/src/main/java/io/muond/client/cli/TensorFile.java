package io.muond.client.cli;

import io.muond.client.Tensor;
import io.muond.client.TensorData;
import io.muond.safetensors.SafetensorsException;
import io.muond.safetensors.SafetensorsFile;
import io.muond.safetensors.TensorInfo;
import io.muond.v1.DataType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** The tensors of a safetensors file as float32: in memory if they are small, else in the file. */
final class TensorFile implements AutoCloseable {
  /** Files up to this many elements (256 MiB) are read once; larger ones whenever they are sent. */
  private static final long IN_MEMORY = 1L << 26;

  private final SafetensorsFile file;
  private final Map<String, TensorData> tensors = new LinkedHashMap<>();

  private TensorFile(SafetensorsFile file) {
    this.file = file;
  }

  /**
   * Opens a file.
   *
   * @throws SafetensorsException if it is not a safetensors file, or holds what is not floating
   *     point
   */
  static TensorFile open(Path path) throws IOException {
    TensorFile tensors = new TensorFile(SafetensorsFile.open(path));
    try {
      tensors.load();
      return tensors;
    } catch (IOException | RuntimeException e) {
      tensors.close();
      throw e;
    }
  }

  private void load() throws IOException {
    long elements = 0;
    for (TensorInfo info : file.tensors()) {
      elements += info.elements();
    }
    if (file.tensors().isEmpty()) {
      throw new SafetensorsException(file.path() + ": no tensors (expected: at least one)");
    }
    for (TensorInfo info : file.tensors()) {
      if (!info.dtype().isReadableAsFloat()) {
        // Reading nothing of it still says what is wrong with it.
        file.readFloats(info.name(), 0, new float[0]);
      }
      tensors.put(info.name(), elements <= IN_MEMORY ? inMemory(info) : new InFile(file, info));
    }
  }

  private Tensor inMemory(TensorInfo info) throws IOException {
    float[] values = new float[Math.toIntExact(info.elements())];
    file.readFloats(info.name(), 0, values);
    return Tensor.of(values, shape(info));
  }

  private static long[] shape(TensorInfo info) {
    return info.shape().stream().mapToLong(size -> size).toArray();
  }

  Path path() {
    return file.path();
  }

  /** The tensors by name, in the order of the file. */
  Map<String, TensorData> tensors() {
    return tensors;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  /** A tensor that is widened piece by piece when it is sent. */
  private record InFile(SafetensorsFile file, TensorInfo info) implements TensorData {
    @Override
    public long[] shape() {
      return TensorFile.shape(info);
    }

    @Override
    public DataType dataType() {
      return DataType.DATA_TYPE_FLOAT32;
    }

    @Override
    public long byteSize() {
      return Math.multiplyExact(info.elements(), Float.BYTES);
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
      FloatBuffer floats = into.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
      int bytes = floats.remaining() * Float.BYTES;
      file.readFloats(info.name(), offset / Float.BYTES, floats);
      into.position(into.position() + bytes);
    }
  }
}
