package io.muond.quickstart.gpt;

import io.muond.modular.Planner;
import io.muond.quickstart.SingularValues;
import java.util.LinkedHashMap;
import java.util.Map;

/** How far weights stretch what passes them. */
final class Norms {
  private Norms() {}

  /** The singular values of a matrix over those that it has on its manifold, ascending. */
  static double[] singularValues(GptShape.Weight weight, Mat w) {
    double[] values = SingularValues.of(w.rows(), w.columns(), w.values());
    for (int i = 0; i < values.length; i++) {
      values[i] /= weight.stretch() * weight.unit();
    }
    return values;
  }

  /** By how much the weights stretch root mean squares on their manifolds. */
  static Map<String, Double> onManifolds(GptShape shape) {
    Map<String, Double> stretches = new LinkedHashMap<>();
    shape.weights().forEach((name, weight) -> stretches.put(name, weight.stretch()));
    return stretches;
  }

  /** By how much they do: a matrix by its largest singular value, the embedding by a row. */
  static Map<String, Double> measured(GptShape shape, Map<String, Mat> weights) {
    Map<String, Double> stretches = new LinkedHashMap<>();
    shape
        .weights()
        .forEach(
            (name, weight) -> {
              if (name.equals("embed")) {
                stretches.put(name, longestRow(weights.get(name)));
              } else if (weight.isMatrix()) {
                double[] values = singularValues(weight, weights.get(name));
                stretches.put(name, weight.stretch() * values[values.length - 1]);
              }
            });
    return stretches;
  }

  /** As a root mean square. */
  private static double longestRow(Mat w) {
    float[] row = new float[w.columns()];
    double largest = 0;
    for (int i = 0; i < w.rows(); i++) {
      w.read(i, row);
      double squares = 0;
      for (float x : row) {
        squares += (double) x * x;
      }
      largest = Math.max(largest, squares / row.length);
    }
    return Math.sqrt(largest);
  }

  /** By how much the logits move at most, given by how much each weight stretches. */
  static double lipschitzBound(GptShape shape, Map<String, Double> stretches) {
    return Planner.plan(GptTree.of(shape, stretches)).getLipschitzBound();
  }
}
