package io.muond.safetensors;

import static io.muond.safetensors.Faults.escape;
import static io.muond.safetensors.Faults.quote;
import static io.muond.safetensors.Faults.require;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Parses the JSON header. Whether the offsets fit together is {@link HeaderValidator}'s business.
 * Exceptions carry only the fault; the caller adds the file.
 */
final class HeaderParser {
  private final JsonReader json;
  private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
  private Map<String, String> metadata = null;

  private HeaderParser(JsonReader json) {
    this.json = json;
  }

  static Header parse(String text) throws SafetensorsException {
    JsonReader json = new JsonReader(new StringReader(text));
    json.setStrictness(Strictness.STRICT);
    try {
      return new HeaderParser(json).header();
    } catch (SafetensorsException e) {
      throw e;
    } catch (IOException | IllegalStateException e) {
      // Gson reports bad syntax by the first kind and a token of another type by the second.
      throw new SafetensorsException("header is not valid JSON near " + escape(json.getPath()), e);
    }
  }

  private Header header() throws IOException {
    json.beginObject();
    while (json.hasNext()) {
      String name = json.nextName();
      if (name.equals(Header.METADATA)) {
        require(metadata == null, Header.METADATA + ": given twice");
        metadata = metadata();
      } else {
        require(tensors.put(name, tensor(name)) == null, quote(name) + ": given twice");
      }
    }
    json.endObject();
    require(json.peek() == JsonToken.END_DOCUMENT, "more than one JSON value in the header");
    return new Header(
        metadata == null ? Map.of() : Collections.unmodifiableMap(metadata),
        List.copyOf(tensors.values()));
  }

  private Map<String, String> metadata() throws IOException {
    Map<String, String> entries = new LinkedHashMap<>();
    json.beginObject();
    while (json.hasNext()) {
      String key = json.nextName();
      require(
          json.peek() == JsonToken.STRING,
          Header.METADATA + "." + escape(key) + ": " + json.peek() + " (expected: a string)");
      require(
          entries.put(key, json.nextString()) == null,
          Header.METADATA + "." + escape(key) + ": given twice");
    }
    json.endObject();
    return entries;
  }

  private TensorInfo tensor(String name) throws IOException {
    Dtype dtype = null;
    List<Long> shape = null;
    List<Long> offsets = null;
    json.beginObject();
    while (json.hasNext()) {
      String key = json.nextName();
      switch (key) {
        case "dtype" -> dtype = once(dtype, dtype(name), name, key);
        case "shape" -> shape = once(shape, integers(name, key), name, key);
        case "data_offsets" -> offsets = once(offsets, integers(name, key), name, key);
        default ->
            throw new SafetensorsException(
                quote(name)
                    + ": unknown key "
                    + quote(key)
                    + " (expected: dtype, shape, data_offsets)");
      }
    }
    json.endObject();
    require(
        dtype != null && shape != null && offsets != null,
        quote(name) + ": incomplete (expected: dtype, shape and data_offsets)");
    require(
        offsets.size() == 2,
        quote(name) + ".data_offsets: " + offsets + " (expected: begin and end)");
    return new TensorInfo(name, dtype, shape, offsets.get(0), offsets.get(1));
  }

  private Dtype dtype(String name) throws IOException {
    String dtype = json.nextString();
    return Dtype.named(dtype)
        .orElseThrow(
            () ->
                new SafetensorsException(
                    quote(name)
                        + ".dtype: "
                        + quote(dtype)
                        + " (expected one of "
                        + List.of(Dtype.values())
                        + ")"));
  }

  private List<Long> integers(String name, String key) throws IOException {
    List<Long> values = new ArrayList<>();
    json.beginArray();
    while (json.hasNext()) {
      values.add(integer(name, key));
    }
    json.endArray();
    return values;
  }

  private long integer(String name, String key) throws IOException {
    JsonToken token = json.peek();
    String text = token == JsonToken.NUMBER ? json.nextString() : token.toString();
    try {
      long value = Long.parseLong(text);
      if (value >= 0) {
        return value;
      }
    } catch (NumberFormatException e) {
      throw new SafetensorsException(notAnInteger(name, key, text), e);
    }
    throw new SafetensorsException(notAnInteger(name, key, text));
  }

  private static String notAnInteger(String name, String key, String text) {
    return quote(name)
        + "."
        + key
        + ": "
        + escape(text)
        + " (expected: integers from 0 to 2^63 - 1)";
  }

  private static <T> T once(T before, T value, String name, String key)
      throws SafetensorsException {
    require(before == null, quote(name) + "." + key + ": given twice");
    return value;
  }
}
