package io.muond.server.status;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonPrimitive;
import io.muond.v1.Manifold;
import io.muond.v1.ParameterInspection.Measure;
import java.util.Locale;

/** How things are put in JSON. */
final class Words {
  private Words() {}

  /** As on the command line: "centered-oblique". */
  static String of(Manifold manifold) {
    return manifold
        .name()
        .substring("MANIFOLD_".length())
        .toLowerCase(Locale.ROOT)
        .replace('_', '-');
  }

  /** "singular values", "row norms". */
  static String of(Measure measure) {
    return measure.name().substring("MEASURE_".length()).toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  /** JSON has no NaN. */
  static JsonElement number(double value) {
    return Double.isFinite(value) ? new JsonPrimitive(value) : JsonNull.INSTANCE;
  }
}
