package io.muond.quickstart;

import java.util.ArrayList;
import java.util.List;

/**
 * The singular values of all layers of a network, each relative to its layer's radius sqrt(out /
 * in).
 *
 * @param values descending
 */
record Spectrum(List<Double> values) {
  Spectrum {
    values = List.copyOf(values);
  }

  static Spectrum of(Mlp network, List<Matrix> weights) {
    List<Double> values = new ArrayList<>();
    for (int i = 0; i < network.layers(); i++) {
      for (double value : SingularValues.of(weights.get(i))) {
        values.add(value / network.radius(i));
      }
    }
    values.sort((a, b) -> Double.compare(b, a));
    return new Spectrum(values);
  }

  double largest() {
    return values.get(0);
  }

  double smallest() {
    return values.get(values.size() - 1);
  }
}
