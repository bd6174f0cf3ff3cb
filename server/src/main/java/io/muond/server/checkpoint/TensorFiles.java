package io.muond.server.checkpoint;

import io.muond.safetensors.Dtype;
import io.muond.safetensors.SafetensorsException;
import io.muond.safetensors.SafetensorsFile;
import io.muond.safetensors.TensorInfo;
import io.muond.server.checkpoint.Manifest.FileSum;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/** Reads the tensor files of checkpoints. */
final class TensorFiles {
  /** As in the writer: large enough for calls to cost nothing, small enough for the cache. */
  private static final int CHUNK_BYTES = 1 << 20;

  private TensorFiles() {}

  /** Reads the file and compares its size and checksum. */
  static void verify(Path file, FileSum expected) throws CheckpointException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (channel.size() != expected.bytes()) {
        throw CheckpointException.corrupt(
            file, channel.size() + " bytes (expected: " + expected.bytes() + ")");
      }
      int actual = checksum(channel);
      if (actual != expected.crc32c()) {
        HexFormat hex = HexFormat.of();
        throw CheckpointException.corrupt(
            file,
            "CRC-32C "
                + hex.toHexDigits(actual)
                + " (expected: "
                + hex.toHexDigits(expected.crc32c())
                + ")");
      }
    } catch (CheckpointException e) {
      throw e;
    } catch (NoSuchFileException e) {
      throw CheckpointException.corrupt(file, "missing", e);
    } catch (IOException e) {
      throw CheckpointException.storage(file, e);
    }
  }

  /** Hands over all tensors. */
  static void load(Path file, TensorSink sink) throws CheckpointException {
    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
      ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_BYTES);
      for (TensorInfo tensor : tensors.tensors()) {
        if (tensor.dtype() != Dtype.F32) {
          throw CheckpointException.corrupt(
              file, "\"" + tensor.name() + "\" is " + tensor.dtype() + " (expected: F32)");
        }
        load(tensors, tensor, sink, chunk);
      }
    } catch (CheckpointException e) {
      throw e;
    } catch (SafetensorsException e) {
      throw CheckpointException.corrupt(file, e.getMessage(), e);
    } catch (IOException e) {
      throw CheckpointException.storage(file, e);
    }
  }

  private static void load(
      SafetensorsFile file, TensorInfo tensor, TensorSink sink, ByteBuffer chunk)
      throws IOException {
    long offset = 0;
    while (offset < tensor.bytes()) {
      chunk.clear().limit((int) Math.min(CHUNK_BYTES, tensor.bytes() - offset));
      file.read(tensor.name(), offset, chunk);
      chunk.flip();
      int count = chunk.remaining();
      sink.write(tensor.name(), offset / Float.BYTES, chunk.order(ByteOrder.LITTLE_ENDIAN));
      offset += count;
    }
  }

  private static int checksum(FileChannel channel) throws IOException {
    CRC32C checksum = new CRC32C();
    ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_BYTES);
    while (channel.read(chunk) >= 0) {
      checksum.update(chunk.flip());
      chunk.clear();
    }
    return (int) checksum.getValue();
  }
}
