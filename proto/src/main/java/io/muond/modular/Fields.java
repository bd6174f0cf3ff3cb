package io.muond.modular;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import io.muond.manifold.Words;
import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** The keys of one JSON object: declared first, then read in whatever order they come. */
final class Fields {
  /** Reads one value. */
  @FunctionalInterface
  interface Field {
    void read(TreePath at) throws IOException;
  }

  private final JsonReader json;
  private final TreePath path;
  private final Map<String, Field> fields = new LinkedHashMap<>();
  private final Set<String> missing = new HashSet<>();

  Fields(JsonReader json, TreePath path) {
    this.json = json;
    this.path = path;
  }

  Fields required(String key, Field field) {
    missing.add(key);
    return optional(key, field);
  }

  Fields optional(String key, Field field) {
    fields.put(key, field);
    return this;
  }

  void read() throws IOException {
    expect(json, path, JsonToken.BEGIN_OBJECT, "an object");
    Set<String> seen = new HashSet<>();
    json.beginObject();
    while (json.hasNext()) {
      String key = json.nextName();
      Field field = fields.get(key);
      if (field == null) {
        throw new ModuleException(
            path, "unknown key " + Words.quote(key) + " (expected: " + fields.keySet() + ")");
      }
      if (!seen.add(key)) {
        throw new ModuleException(path.child(key), "given twice");
      }
      field.read(path.child(key));
    }
    json.endObject();
    for (String key : fields.keySet()) {
      if (missing.contains(key) && !seen.contains(key)) {
        throw new ModuleException(path.child(key), "missing");
      }
    }
  }

  static String string(JsonReader json, TreePath path) throws IOException {
    expect(json, path, JsonToken.STRING, "a string");
    return json.nextString();
  }

  static double number(JsonReader json, TreePath path) throws IOException {
    expect(json, path, JsonToken.NUMBER, "a number");
    // Not nextDouble, which refuses what is too large as if it were bad syntax.
    return Double.parseDouble(json.nextString());
  }

  static boolean truth(JsonReader json, TreePath path) throws IOException {
    expect(json, path, JsonToken.BOOLEAN, "true or false");
    return json.nextBoolean();
  }

  static long integer(JsonReader json, TreePath path) throws IOException {
    expect(json, path, JsonToken.NUMBER, "an integer");
    try {
      return json.nextLong();
    } catch (NumberFormatException e) {
      throw new ModuleException(path, json.nextString() + " (expected: a 64-bit integer)", e);
    }
  }

  static void expect(JsonReader json, TreePath path, JsonToken token, String what)
      throws IOException {
    if (json.peek() != token) {
      throw new ModuleException(path, found(json) + " (expected: " + what + ")");
    }
  }

  private static String found(JsonReader json) throws IOException {
    return switch (json.peek()) {
      case BEGIN_ARRAY -> "an array";
      case BEGIN_OBJECT -> "an object";
      case STRING -> Words.quote(json.nextString());
      case NUMBER -> json.nextString();
      case BOOLEAN -> String.valueOf(json.nextBoolean());
      case NULL -> "null";
      default -> "nothing";
    };
  }
}
