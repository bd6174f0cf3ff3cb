package io.muond.safetensors;

import static io.muond.safetensors.Faults.quote;
import static java.util.Objects.checkFromIndexSize;
import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An open safetensors file, checked whole when it was opened: every tensor that it lists lies in
 * the file. Reads may run concurrently.
 *
 * <p>Reading from an interrupted thread closes the file, as with every {@link FileChannel}.
 */
public final class SafetensorsFile implements AutoCloseable {
  private static final int STAGING_BYTES = 1 << 16;

  private final Path path;
  private final FileChannel channel;
  private final long dataStart;
  private final Header header;
  private final Map<String, TensorInfo> byName = new LinkedHashMap<>();

  private SafetensorsFile(Path path, FileChannel channel, Header header, long dataStart) {
    this.path = path;
    this.channel = channel;
    this.header = header;
    this.dataStart = dataStart;
    header.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
  }

  /**
   * Opens and checks a file.
   *
   * @throws SafetensorsException if it is no safetensors file
   * @throws IOException if it cannot be read
   */
  public static SafetensorsFile open(Path path) throws IOException {
    requireNonNull(path, "path is null");
    if (Files.isDirectory(path)) {
      throw new SafetensorsException(path + ": not a safetensors file (a directory)");
    }
    if (Files.notExists(path)) {
      throw new NoSuchFileException(path.toString(), null, "no such file");
    }
    FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
    try {
      long headerBytes = HeaderFile.length(channel);
      Header header = HeaderFile.read(channel, headerBytes);
      long dataStart = HeaderFile.LENGTH_BYTES + headerBytes;
      HeaderValidator.validate(header, channel.size() - dataStart);
      return new SafetensorsFile(path, channel, header, dataStart);
    } catch (SafetensorsException e) {
      SafetensorsException named =
          new SafetensorsException(
              path + ": not a safetensors file (" + e.getMessage() + ")", e.getCause());
      closeAfter(named, channel);
      throw named;
    } catch (IOException | RuntimeException | Error e) {
      closeAfter(e, channel);
      throw e;
    }
  }

  /** Where it is. */
  public Path path() {
    return path;
  }

  /** The header's free-form entries. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  /** The tensors, in the header's order. */
  public List<TensorInfo> tensors() {
    return header.tensors();
  }

  /** Whether there is a tensor of that name. */
  public boolean contains(String name) {
    return byName.containsKey(name);
  }

  /**
   * The tensor of that name.
   *
   * @throws SafetensorsException if there is none
   */
  public TensorInfo tensor(String name) throws SafetensorsException {
    TensorInfo tensor = byName.get(requireNonNull(name, "name is null"));
    if (tensor == null) {
      throw new SafetensorsException(path + ": no tensor " + quote(name));
    }
    return tensor;
  }

  /**
   * Reads a tensor's bytes as they are, little-endian.
   *
   * @param offset of the first byte, from the tensor's beginning
   * @param into filled from its position to its limit
   * @throws IndexOutOfBoundsException if the tensor has not so many bytes
   */
  public void read(String name, long offset, ByteBuffer into) throws IOException {
    TensorInfo tensor = tensor(name);
    checkFromIndexSize(offset, into.remaining(), tensor.bytes());
    long position = dataStart + tensor.begin() + offset;
    while (into.hasRemaining()) {
      int count = channel.read(into, position);
      if (count < 0) {
        throw new SafetensorsException(
            path + ": " + quote(name) + " ends early: the file was truncated after it was opened");
      }
      position += count;
    }
  }

  /**
   * Reads elements as float32: float16 and bfloat16 are widened, float64 is rounded to the nearest
   * (infinity beyond float32's range).
   *
   * @param index of the first element, row-major
   * @param into filled from its position to its limit
   * @throws SafetensorsException if the tensor's type is none of these
   * @throws IndexOutOfBoundsException if the tensor has not so many elements
   */
  public void readFloats(String name, long index, FloatBuffer into) throws IOException {
    TensorInfo tensor = tensor(name);
    if (!tensor.dtype().isReadableAsFloat()) {
      throw new SafetensorsException(
          path
              + ": "
              + quote(name)
              + " is "
              + tensor.dtype()
              + " (expected: F64, F32, F16 or BF16)");
    }
    checkFromIndexSize(index, into.remaining(), tensor.elements());
    int width = tensor.dtype().bits() / Byte.SIZE;
    int staged = (int) Math.min(STAGING_BYTES, (long) into.remaining() * width);
    ByteBuffer staging = ByteBuffer.allocate(staged).order(ByteOrder.LITTLE_ENDIAN);
    long offset = index * width;
    while (into.hasRemaining()) {
      staging.clear();
      staging.limit((int) Math.min(staged, (long) into.remaining() * width));
      read(name, offset, staging);
      offset += staging.flip().remaining();
      widen(tensor.dtype(), staging, into);
    }
  }

  /** Fills an array, see {@link #readFloats(String, long, FloatBuffer)}. */
  public void readFloats(String name, long index, float[] into) throws IOException {
    readFloats(name, index, FloatBuffer.wrap(into));
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private static void widen(Dtype dtype, ByteBuffer from, FloatBuffer into) {
    while (from.hasRemaining()) {
      into.put(
          switch (dtype) {
            case F64 -> (float) from.getDouble();
            case F32 -> from.getFloat();
            case F16 -> HalfFloats.fromFloat16(from.getShort());
            case BF16 -> HalfFloats.fromBfloat16(from.getShort());
            default -> throw new IllegalArgumentException(dtype + " has no float32 form");
          });
    }
  }

  private static void closeAfter(Throwable failure, FileChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }
}
