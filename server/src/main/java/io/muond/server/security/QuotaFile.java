package io.muond.server.security;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.muond.files.BadFileException;
import io.muond.server.model.Allowance;
import io.muond.units.DataSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * What each principal may have: {@code {"default": {...}, "principals": {"NAME": {...}}}} with, in
 * each, any of {@code models}, {@code device_memory} (like "8GiB"), {@code streams}, {@code
 * requests_per_second} and {@code burst}. What a principal's own does not say, the default does;
 * what neither says has no limit.
 */
record QuotaFile(Limits standard, Map<String, Limits> own) {
  static final QuotaFile NO_LIMITS = new QuotaFile(Limits.NONE, Map.of());

  private static final Set<String> PARTS = Set.of("default", "principals");
  private static final Set<String> QUOTAS =
      Set.of("models", "device_memory", "streams", "requests_per_second", "burst");

  /** The limits of {@code principal}. */
  Limits of(String principal) {
    return own.getOrDefault(principal, standard);
  }

  static QuotaFile read(Path file) throws BadFileException {
    try {
      JsonObject json = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
      requireKeys("", json, PARTS);
      JsonObject standard = object(json, "default");
      Map<String, Limits> own = new HashMap<>();
      for (Map.Entry<String, JsonElement> entry : object(json, "principals").entrySet()) {
        String path = "principals." + entry.getKey();
        if (!Principals.isName(entry.getKey())) {
          throw new IllegalArgumentException(path + " (expected: " + Principals.EXPECTED + ")");
        }
        JsonObject all = standard.deepCopy();
        JsonObject stated = entry.getValue().getAsJsonObject();
        stated.entrySet().forEach(quota -> all.add(quota.getKey(), quota.getValue()));
        own.put(entry.getKey(), limits(path, all));
      }
      return new QuotaFile(limits("default", standard), Map.copyOf(own));
    } catch (IOException e) {
      throw BadFileException.unreadable(file, e);
    } catch (JsonParseException | IllegalStateException | ClassCastException e) {
      throw new BadFileException(
          file, "not such JSON (expected: {\"default\": {...}, \"principals\": {...}})", e);
    } catch (IllegalArgumentException e) {
      throw new BadFileException(file, e.getMessage(), e);
    }
  }

  private static JsonObject object(JsonObject json, String key) {
    return json.has(key) ? json.getAsJsonObject(key) : new JsonObject();
  }

  private static void requireKeys(String path, JsonObject json, Set<String> known) {
    for (String key : json.keySet()) {
      if (!known.contains(key)) {
        throw new IllegalArgumentException(
            path
                + (path.isEmpty() ? "" : ".")
                + key
                + ": unknown (expected: one of "
                + known
                + ")");
      }
    }
  }

  private static Limits limits(String path, JsonObject json) {
    requireKeys(path, json, QUOTAS);
    double rate = number(path, json, "requests_per_second", Double.POSITIVE_INFINITY);
    // A second's worth at once, unless it is said.
    double burst = number(path, json, "burst", Math.max(1, rate));
    if (rate == 0 || burst < 1) {
      throw new IllegalArgumentException(
          path + ": " + json + " (expected: requests_per_second > 0, burst >= 1)");
    }
    return new Limits(
        new Allowance(
            count(path, json, "models"),
            value(path, json, "device_memory", Long.MAX_VALUE, v -> bytes(v.getAsString()))),
        count(path, json, "streams"),
        rate,
        burst);
  }

  private static long bytes(String text) {
    return text.equals("0") ? 0 : DataSize.parse(text).bytes();
  }

  private static long count(String path, JsonObject json, String key) {
    return value(path, json, key, Long.MAX_VALUE, v -> v.getAsBigDecimal().longValueExact());
  }

  private static double number(String path, JsonObject json, String key, double absent) {
    return value(path, json, key, absent, JsonPrimitive::getAsDouble);
  }

  private static <T extends Number> T value(
      String path, JsonObject json, String key, T absent, Function<JsonPrimitive, T> reading) {
    if (!json.has(key)) {
      return absent;
    }
    try {
      T value = reading.apply(json.getAsJsonPrimitive(key));
      if (value.doubleValue() >= 0 && Double.isFinite(value.doubleValue())) {
        return value;
      }
    } catch (IllegalArgumentException | ArithmeticException | ClassCastException e) {
      // Said below, whatever it was.
    }
    throw new IllegalArgumentException(
        path + '.' + key + ": " + json.get(key) + " (expected: " + expected(key) + ")");
  }

  private static String expected(String key) {
    return switch (key) {
      case "device_memory" -> "a size like \"8GiB\"";
      case "requests_per_second", "burst" -> "a number > 0";
      default -> "an integer >= 0";
    };
  }
}
