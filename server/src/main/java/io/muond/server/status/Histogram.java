package io.muond.server.status;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.muond.server.model.ModelWatch.Subject;
import io.muond.v1.Manifold;
import io.muond.v1.ParameterInspection;
import io.muond.v1.ParameterInspection.Measure;
import java.util.List;

/** How the singular values, or the norms, of a weight are spread. */
final class Histogram {
  /** Odd, so that 1 is in the middle of a bin when they go from 0 to 2. */
  static final int BINS = 41;

  private static final double TOP = 2;

  private Histogram() {}

  /**
   * A parameter and what was measured of it.
   *
   * @param inspection null if nothing was, or was not yet
   */
  static JsonObject json(Subject subject, ParameterInspection inspection) {
    JsonObject json = new JsonObject();
    json.addProperty("name", subject.name());
    JsonArray shape = new JsonArray();
    subject.shape().forEach(shape::add);
    json.add("shape", shape);
    json.addProperty("manifold", Words.of(subject.manifold()));
    json.addProperty("radius", subject.radius());
    json.addProperty("too_large", !subject.measured());
    if (inspection != null) {
      measures(json, subject, inspection);
    }
    return json;
  }

  private static void measures(JsonObject json, Subject subject, ParameterInspection inspection) {
    boolean free = subject.manifold() == Manifold.MANIFOLD_EUCLIDEAN;
    double unit = free ? 1 : subject.radius();
    List<Double> values = inspection.getValuesList().stream().map(value -> value / unit).toList();
    double least = values.stream().mapToDouble(v -> v).min().orElse(Double.NaN);
    double most = values.stream().mapToDouble(v -> v).max().orElse(Double.NaN);
    json.addProperty("measure", Words.of(inspection.getMeasure()));
    json.addProperty("relative", !free);
    json.addProperty("count", values.size());
    json.add("least", Words.number(least));
    json.add("most", Words.number(most));
    json.add("residual", Words.number(inspection.getResidual()));
    boolean one = inspection.getMeasure() == Measure.MEASURE_NORM && values.size() == 1;
    if (!one && Double.isFinite(least) && Double.isFinite(most)) {
      json.add(
          "histogram",
          histogram(values, free ? Math.max(most, Double.MIN_NORMAL) : Math.max(TOP, most)));
    }
  }

  private static JsonObject histogram(List<Double> values, double to) {
    long[] counts = new long[BINS];
    for (double value : values) {
      counts[Math.min(BINS - 1, (int) (value / to * BINS))]++;
    }
    JsonArray bins = new JsonArray();
    for (long count : counts) {
      bins.add(count);
    }
    JsonObject json = new JsonObject();
    json.addProperty("from", 0);
    json.addProperty("to", to);
    json.add("counts", bins);
    return json;
  }
}
