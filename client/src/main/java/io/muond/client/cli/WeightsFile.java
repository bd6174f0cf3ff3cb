package io.muond.client.cli;

import io.muond.client.ModelHandle;
import io.muond.client.Progress;
import io.muond.client.ReadOptions;
import io.muond.client.WeightsSink;
import io.muond.safetensors.Dtype;
import io.muond.safetensors.SafetensorsException;
import io.muond.safetensors.SafetensorsWriter;
import io.muond.v1.WeightsHeader;
import io.muond.wire.Chunk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Weights on their way to a safetensors file: spooled to a temporary file beside it as they arrive,
 * so that their size does not matter, then written as a whole.
 */
final class WeightsFile implements WeightsSink, AutoCloseable {
  /** Bytes, as tensor.proto limits them. */
  private static final int MAX_CHUNK = 2 << 20;

  private final Path spool;
  private final FileChannel channel;
  private final Console console;
  private final Map<String, Spooled> tensors = new LinkedHashMap<>();
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(MAX_CHUNK);
  private Progress progress;
  private long end;
  private long received;

  private WeightsFile(Path directory, Console console) throws IOException {
    this.spool = spool(directory);
    this.channel =
        FileChannel.open(
            spool,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.DELETE_ON_CLOSE);
    this.console = console;
  }

  private static Path spool(Path directory) throws IOException {
    try {
      return Files.createTempFile(directory, ".muond-", ".spool");
    } catch (IOException e) {
      throw new IOException(
          "--out: cannot write in %s (%s)".formatted(directory, e.getClass().getSimpleName()), e);
    }
  }

  /** Reads all weights of a model as float32 into a safetensors file. */
  static WeightsHeader write(ModelHandle model, Path out, Console console) throws IOException {
    try (WeightsFile file = new WeightsFile(out.toAbsolutePath().getParent(), console)) {
      WeightsHeader header = model.readWeights(ReadOptions.ALL, file);
      SafetensorsWriter writer =
          new SafetensorsWriter()
              .metadata("model", model.name())
              .metadata("step", Long.toString(header.getStep()))
              .metadata("incarnation", header.getIncarnation());
      file.tensors.forEach(
          (name, tensor) ->
              writer.tensor(
                  name,
                  Dtype.F32,
                  tensor.shape(),
                  (offset, into) -> file.read(tensor.start() + offset, into)));
      writer.writeTo(out.toAbsolutePath());
      return header;
    }
  }

  @Override
  public void begin(WeightsHeader header) {
    tensors.clear();
    end = 0;
    received = 0;
    stopProgress();
    progress = console.progress("reading weights", header.getTotalBytes(), "bytes");
  }

  @Override
  public void accept(Chunk chunk) throws IOException {
    Spooled tensor = tensors.get(chunk.parameter());
    if (tensor == null) {
      tensor = new Spooled(chunk.shape(), end);
      tensors.put(chunk.parameter(), tensor);
      end = Math.addExact(end, tensor.bytes());
    }
    long position = tensor.start() + chunk.offset();
    ByteBuffer bytes = buffer.clear().limit(chunk.size());
    chunk.read(0, bytes);
    bytes.flip();
    while (bytes.hasRemaining()) {
      position += channel.write(bytes, position);
    }
    received += chunk.size();
    progress.update(received);
  }

  private void read(long start, ByteBuffer into) throws IOException {
    long position = start;
    while (into.hasRemaining()) {
      int count = channel.read(into, position);
      if (count < 0) {
        throw new SafetensorsException(spool + ": ended at byte " + position);
      }
      position += count;
    }
  }

  private void stopProgress() {
    if (progress != null) {
      progress.close();
    }
  }

  @Override
  public void close() throws IOException {
    stopProgress();
    channel.close();
  }

  /** Where a tensor lies in the spool. */
  private record Spooled(List<Long> shape, long start) {
    long bytes() {
      return shape.stream().reduce((long) Float.BYTES, Math::multiplyExact);
    }
  }
}
