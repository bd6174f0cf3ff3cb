package io.muond.quickstart;

import java.util.Locale;

/** The table at the end, one row per optimizer. */
final class Table {
  private Table() {}

  static String head() {
    return "%-14s %13s  %14s %14s  %8s %8s"
        .formatted(
            "optimizer", "test accuracy", "sigma/r least", "sigma/r most", "seconds", "steps/s");
  }

  static String row(Outcome outcome, Spectrum spectrum) {
    return String.format(
        Locale.ROOT,
        "%-14s %11.2f %%  %14.4f %14.4f  %8.2f %8.0f",
        outcome.name(),
        100 * outcome.accuracy(),
        spectrum.smallest(),
        spectrum.largest(),
        outcome.seconds(),
        outcome.stepsPerSecond());
  }
}
