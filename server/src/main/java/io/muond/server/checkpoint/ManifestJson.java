package io.muond.server.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import com.google.protobuf.ByteString;
import io.muond.server.checkpoint.Manifest.FileSum;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/**
 * The form of manifest.json: an object whose keys come in a fixed order and whose last one is the
 * checksum of the text before it.
 */
final class ManifestJson {
  private static final int VERSION = 1;
  private static final String CHECKSUM_START = ",\n  \"crc32c\": \"";
  private static final String CHECKSUM_END = "\"\n}\n";
  private static final int CHECKSUM_DIGITS = 8;

  private ManifestJson() {}

  static byte[] format(Manifest manifest) {
    StringWriter text = new StringWriter();
    try (JsonWriter json = new JsonWriter(text)) {
      json.setIndent("  ");
      json.beginObject();
      write(json, manifest);
      json.endObject();
    } catch (IOException e) {
      throw new IllegalStateException("a string cannot fail to be written", e);
    }
    String object = text.toString();
    String body = object.substring(0, object.length() - "\n}".length());
    return (body + CHECKSUM_START + checksum(body) + CHECKSUM_END).getBytes(UTF_8);
  }

  /**
   * Reads what {@link #format} wrote.
   *
   * @throws IOException if even one bit is another; its message says what is wrong
   */
  static Manifest parse(byte[] bytes) throws IOException {
    String text = new String(bytes, UTF_8);
    int end = text.length() - CHECKSUM_END.length() - CHECKSUM_DIGITS - CHECKSUM_START.length();
    if (end < 0) {
      throw new IOException("truncated");
    }
    String body = text.substring(0, end);
    if (!text.equals(body + CHECKSUM_START + checksum(body) + CHECKSUM_END)) {
      throw new IOException("fails its checksum");
    }
    JsonReader json = new JsonReader(new StringReader(body + "}"));
    json.setStrictness(Strictness.STRICT);
    try {
      return read(json);
    } catch (IllegalStateException | IllegalArgumentException | DateTimeException e) {
      throw new IOException("not a manifest: " + e.getMessage(), e);
    }
  }

  private static void write(JsonWriter json, Manifest manifest) throws IOException {
    CheckpointMeta meta = manifest.meta();
    Base64.Encoder base64 = Base64.getEncoder();
    json.name("version").value(VERSION);
    json.name("sequence").value(manifest.sequence());
    json.name("step").value(meta.step());
    json.name("incarnation").value(meta.incarnation());
    json.name("create_time").value(meta.createTime().toString());
    json.name("automatic").value(meta.automatic());
    write(json, CheckpointDirectory.WEIGHTS, manifest.weights());
    write(json, CheckpointDirectory.STATE, manifest.state());
    json.name("model_spec").value(base64.encodeToString(meta.modelSpec().toByteArray()));
    json.name("ledger").value(base64.encodeToString(meta.ledger().toByteArray()));
  }

  private static void write(JsonWriter json, String name, FileSum sum) throws IOException {
    json.name(name).beginObject();
    json.name("bytes").value(sum.bytes());
    json.name("crc32c").value(HexFormat.of().toHexDigits(sum.crc32c()));
    json.endObject();
  }

  private static Manifest read(JsonReader json) throws IOException {
    json.beginObject();
    long version = number(json, "version");
    if (version != VERSION) {
      throw new IOException("version: " + version + " (expected: " + VERSION + ")");
    }
    long sequence = number(json, "sequence");
    long step = number(json, "step");
    String incarnation = string(json, "incarnation");
    Instant createTime = Instant.parse(string(json, "create_time"));
    expect(json, "automatic");
    boolean automatic = json.nextBoolean();
    FileSum weights = sum(json, CheckpointDirectory.WEIGHTS);
    FileSum state = sum(json, CheckpointDirectory.STATE);
    ByteString modelSpec = bytes(json, "model_spec");
    ByteString ledger = bytes(json, "ledger");
    json.endObject();
    CheckpointMeta meta =
        new CheckpointMeta(step, incarnation, modelSpec, ledger, createTime, automatic);
    return new Manifest(sequence, meta, weights, state);
  }

  private static FileSum sum(JsonReader json, String name) throws IOException {
    expect(json, name);
    json.beginObject();
    long bytes = number(json, "bytes");
    int crc32c = HexFormat.fromHexDigits(string(json, "crc32c"));
    json.endObject();
    return new FileSum(bytes, crc32c);
  }

  private static ByteString bytes(JsonReader json, String name) throws IOException {
    return ByteString.copyFrom(Base64.getDecoder().decode(string(json, name)));
  }

  private static String string(JsonReader json, String name) throws IOException {
    expect(json, name);
    return json.nextString();
  }

  private static long number(JsonReader json, String name) throws IOException {
    expect(json, name);
    return json.nextLong();
  }

  private static void expect(JsonReader json, String name) throws IOException {
    String found = json.nextName();
    if (!found.equals(name)) {
      throw new IOException("not a manifest: \"" + found + "\" (expected: \"" + name + "\")");
    }
  }

  private static String checksum(String body) {
    CRC32C checksum = new CRC32C();
    checksum.update(body.getBytes(UTF_8));
    return HexFormat.of().toHexDigits((int) checksum.getValue());
  }
}
