package io.muond.safetensors;

import static io.muond.safetensors.Faults.quote;
import static java.util.Objects.requireNonNull;

import io.muond.files.AtomicFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * Writes a safetensors file: first all tensors are declared, then {@link #writeTo} streams their
 * data in that order. Equal declarations and data give equal bytes.
 */
public final class SafetensorsWriter {
  /** Enough to make the cost of a call disappear, little enough to stay in the cache. */
  private static final int CHUNK_BYTES = 1 << 20;

  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final List<TensorInfo> tensors = new ArrayList<>();
  private final List<TensorData> sources = new ArrayList<>();
  private final Set<String> names = new HashSet<>();
  private long end;

  /** Adds a free-form entry to the header. */
  public SafetensorsWriter metadata(String key, String value) {
    metadata.put(requireNonNull(key, "key is null"), requireNonNull(value, "value is null"));
    return this;
  }

  /**
   * Declares the next tensor.
   *
   * @param shape its dimensions, each at least 0
   * @param data asked for the elements by {@link #writeTo}
   * @throws IllegalArgumentException if the name was declared before or is {@code __metadata__}, or
   *     the shape has no size in 64 bits
   */
  public SafetensorsWriter tensor(String name, Dtype dtype, List<Long> shape, TensorData data) {
    requireNonNull(name, "name is null");
    requireNonNull(data, "data is null");
    if (name.equals(Header.METADATA) || !names.add(name)) {
      throw new IllegalArgumentException(quote(name) + ": given twice or reserved");
    }
    long begin = end;
    end = Math.addExact(begin, bytes(name, dtype, shape));
    tensors.add(new TensorInfo(name, dtype, shape, begin, end));
    sources.add(data);
    return this;
  }

  /**
   * Writes the file, durably and atomically: until this returns, what was at {@code path} stays.
   *
   * @throws IOException if the file cannot be written, or a source threw it
   */
  public WrittenFile writeTo(Path path) throws IOException {
    ByteBuffer header = HeaderFile.bytes(new Header(metadata, tensors));
    CRC32C checksum = new CRC32C();
    long size = Math.addExact(header.remaining(), end);
    try (AtomicFile file = AtomicFile.create(path)) {
      write(file, header, checksum);
      ByteBuffer chunk = ByteBuffer.allocateDirect((int) Math.min(CHUNK_BYTES, end));
      for (int i = 0; i < tensors.size(); i++) {
        write(file, tensors.get(i), sources.get(i), chunk, checksum);
      }
      file.commit();
    }
    return new WrittenFile(size, (int) checksum.getValue());
  }

  private static void write(
      AtomicFile file, TensorInfo tensor, TensorData data, ByteBuffer chunk, CRC32C checksum)
      throws IOException {
    long offset = 0;
    while (offset < tensor.bytes()) {
      chunk.clear().limit((int) Math.min(chunk.capacity(), tensor.bytes() - offset));
      data.read(offset, chunk.order(ByteOrder.LITTLE_ENDIAN));
      if (chunk.hasRemaining()) {
        throw new IllegalStateException(
            quote(tensor.name()) + ": " + chunk.remaining() + " bytes missing at offset " + offset);
      }
      offset += chunk.flip().remaining();
      write(file, chunk, checksum);
    }
  }

  private static void write(AtomicFile file, ByteBuffer bytes, CRC32C checksum) throws IOException {
    checksum.update(bytes.duplicate());
    file.write(bytes);
  }

  private static long bytes(String name, Dtype dtype, List<Long> shape) {
    for (long dimension : shape) {
      if (dimension < 0) {
        throw new IllegalArgumentException(
            quote(name) + ": shape " + shape + " (expected: dimensions >= 0)");
      }
    }
    try {
      return dtype.bytes(TensorInfo.elements(shape));
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          quote(name) + ": shape " + shape + " (expected: whole bytes, at most 2^63 - 1)", e);
    }
  }
}
