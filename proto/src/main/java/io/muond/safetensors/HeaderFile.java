package io.muond.safetensors;

import static io.muond.safetensors.Faults.require;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The beginning of a file: the header's length and the header. */
final class HeaderFile {
  /** Size of the length that stands first. */
  static final int LENGTH_BYTES = Long.BYTES;

  /** The header is padded so that the data begins at a multiple of this. */
  private static final int ALIGNMENT = 8;

  private HeaderFile() {}

  /** Reads the header's length and checks it. */
  static long length(FileChannel channel) throws IOException {
    long size = channel.size();
    require(size >= LENGTH_BYTES, size + " bytes (expected: at least " + LENGTH_BYTES + ")");
    long length = read(channel, 0, LENGTH_BYTES).getLong();
    require(
        length >= 0 && length <= Header.MAX_BYTES,
        "header of "
            + Long.toUnsignedString(length)
            + " bytes (expected: at most "
            + Header.MAX_BYTES
            + ")");
    require(
        length <= size - LENGTH_BYTES,
        "header of " + length + " bytes in a file of " + size + ": truncated");
    return length;
  }

  /** Reads and parses the header. */
  static Header read(FileChannel channel, long length) throws IOException {
    ByteBuffer bytes = read(channel, LENGTH_BYTES, Math.toIntExact(length));
    require(length > 0 && bytes.get(0) == '{', "the header does not begin with '{'");
    try {
      // A fresh decoder reports malformed input rather than replacing it.
      return HeaderParser.parse(StandardCharsets.UTF_8.newDecoder().decode(bytes).toString());
    } catch (CharacterCodingException e) {
      throw new SafetensorsException("header is not UTF-8", e);
    }
  }

  /** The header with its length, padded with spaces. The same header gives the same bytes. */
  static ByteBuffer bytes(Header header) throws IOException {
    byte[] json = json(header).getBytes(StandardCharsets.UTF_8);
    int padded = Math.addExact(json.length, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    require(
        padded <= Header.MAX_BYTES,
        "header of " + padded + " bytes (expected: at most " + Header.MAX_BYTES + ")");
    ByteBuffer bytes = ByteBuffer.allocate(LENGTH_BYTES + padded).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(padded).put(json);
    while (bytes.hasRemaining()) {
      bytes.put((byte) ' ');
    }
    return bytes.flip();
  }

  private static String json(Header header) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonWriter json = new JsonWriter(text)) {
      json.beginObject();
      if (!header.metadata().isEmpty()) {
        json.name(Header.METADATA).beginObject();
        for (Map.Entry<String, String> entry : header.metadata().entrySet()) {
          json.name(entry.getKey()).value(entry.getValue());
        }
        json.endObject();
      }
      for (TensorInfo tensor : header.tensors()) {
        write(json, tensor);
      }
      json.endObject();
    }
    return text.toString();
  }

  private static void write(JsonWriter json, TensorInfo tensor) throws IOException {
    json.name(tensor.name()).beginObject();
    json.name("dtype").value(tensor.dtype().name());
    json.name("shape").beginArray();
    for (long dimension : tensor.shape()) {
      json.value(dimension);
    }
    json.endArray();
    json.name("data_offsets").beginArray().value(tensor.begin()).value(tensor.end()).endArray();
    json.endObject();
  }

  private static ByteBuffer read(FileChannel channel, long position, int count) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      int read = channel.read(bytes, position + bytes.position());
      require(read >= 0, "truncated while it was read");
    }
    return bytes.flip();
  }
}
