package io.muond.quickstart;

import java.util.List;
import java.util.stream.IntStream;

/** Means over runs. */
final class Means {
  private Means() {}

  /** The mean of curves of equal length, point by point. */
  static List<Double> of(List<List<Double>> curves) {
    return IntStream.range(0, curves.get(0).size())
        .mapToObj(i -> curves.stream().mapToDouble(c -> c.get(i)).average().orElseThrow())
        .toList();
  }
}
