package io.muond.client.cli;

import java.util.Arrays;
import java.util.List;

/** What measurements are summed up by. */
final class Statistics {
  private Statistics() {}

  /** The middle value; of an even number, the mean of the two in the middle. */
  static double median(List<Double> values) {
    if (values.isEmpty()) {
      throw new IllegalArgumentException("values: none (expected: at least one)");
    }
    double[] sorted = values.stream().mapToDouble(value -> value).sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1
        ? sorted[middle]
        : Arrays.stream(sorted, middle - 1, middle + 1).sum() / 2;
  }
}
