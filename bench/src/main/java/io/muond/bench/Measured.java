package io.muond.bench;

import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What moving a tensor took.
 *
 * @param seconds until it was there
 * @param cpuSeconds processor time of both processes
 * @param clientBytes bytes of objects that the client made
 * @param serverBytes bytes of objects that the server made
 */
record Measured(double seconds, double cpuSeconds, double clientBytes, double serverBytes) {
  /** Each number's median. */
  static Measured median(List<Measured> all) {
    return new Measured(
        median(all, Measured::seconds),
        median(all, Measured::cpuSeconds),
        median(all, Measured::clientBytes),
        median(all, Measured::serverBytes));
  }

  private static double median(List<Measured> all, ToDoubleFunction<Measured> number) {
    double[] sorted = all.stream().mapToDouble(number).sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : 0.5 * (sorted[middle - 1] + sorted[middle]);
  }

  /** Per GB, of tensors of so many bytes. */
  Measured per(long bytes) {
    double gigabytes = bytes * 1e-9;
    return new Measured(
        seconds / gigabytes,
        cpuSeconds / gigabytes,
        clientBytes / gigabytes,
        serverBytes / gigabytes);
  }
}
