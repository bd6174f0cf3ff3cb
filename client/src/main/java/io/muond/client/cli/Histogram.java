package io.muond.client.cli;

import java.nio.charset.Charset;
import java.util.List;

/**
 * How often values fall into equal parts of their range. Values that are all but equal, to a
 * thousandth, fill one part in the middle.
 */
final class Histogram {
  private static final double ALL_BUT_EQUAL = 1e-3;

  /** From nothing to full. */
  private static final String BARS = " ▁▂▃▄▅▆▇█";

  /** The same where there are no blocks. */
  private static final String ASCII_BARS = " .:-=+*#";

  private final int[] counts;

  private Histogram(int[] counts) {
    this.counts = counts;
  }

  static Histogram of(List<Double> values, int parts) {
    double smallest = values.stream().mapToDouble(Double::doubleValue).min().orElse(0);
    double largest = values.stream().mapToDouble(Double::doubleValue).max().orElse(0);
    int[] counts = new int[parts];
    double range = largest - smallest;
    for (double value : values) {
      boolean one = !(range > ALL_BUT_EQUAL * Math.abs(largest));
      int part = one ? parts / 2 : (int) ((value - smallest) / range * parts);
      counts[Math.min(part, parts - 1)]++;
    }
    return new Histogram(counts);
  }

  /** How many fell into each part. */
  int count(int part) {
    return counts[part];
  }

  /** The most that fell into any. */
  int most() {
    int most = 0;
    for (int count : counts) {
      most = Math.max(most, count);
    }
    return most;
  }

  /**
   * A character for each part; whatever is not empty shows.
   *
   * @param charset of what it is written to
   */
  String text(Charset charset) {
    boolean blocks = charset.canEncode() && charset.newEncoder().canEncode(BARS);
    String bars = blocks ? BARS : ASCII_BARS;
    StringBuilder text = new StringBuilder();
    int steps = bars.length() - 1;
    for (int count : counts) {
      text.append(bars.charAt((int) Math.ceil((double) steps * count / Math.max(1, most()))));
    }
    return text.toString();
  }
}
