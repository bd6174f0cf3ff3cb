package io.muond.quickstart;

import java.util.ArrayList;
import java.util.List;

/**
 * The singular values of all layers of a network, each relative to its layer's radius sqrt(out /
 * in).
 *
 * @param values descending; of several runs, the mean of each
 * @param smallest of any run
 * @param largest of any run
 */
record Spectrum(List<Double> values, double smallest, double largest) {
  Spectrum {
    values = List.copyOf(values);
  }

  /** Of one run. */
  Spectrum(List<Double> values) {
    this(values, values.get(values.size() - 1), values.get(0));
  }

  /** Of several runs of one optimizer. */
  static Spectrum mean(List<Spectrum> runs) {
    return new Spectrum(
        Means.of(runs.stream().map(Spectrum::values).toList()),
        runs.stream().mapToDouble(Spectrum::smallest).min().orElseThrow(),
        runs.stream().mapToDouble(Spectrum::largest).max().orElseThrow());
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
}
