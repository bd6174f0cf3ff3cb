package io.muond.quickstart.gpt;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The tables at the end: a row for each run, and one for each optimizer at its best. */
final class GptReport {
  private final List<Sweep> sweeps;

  GptReport(List<Sweep> sweeps) {
    this.sweeps = sweeps;
  }

  List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add(
        "%-14s %8s %16s %8s %12s"
            .formatted("optimizer", "rate", "validation loss", "seconds", "in the steps"));
    for (Sweep sweep : sweeps) {
      sweep.runs().forEach(run -> lines.add(row(sweep.name(), run)));
    }
    lines.add("");
    lines.add(
        "%-14s %9s %8s  %-26s %11s %8s %25s %10s"
            .formatted(
                "optimizer",
                "best loss",
                "at rate",
                "rates within %.0f %%".formatted(100 * Sweep.TOLERANCE),
                "sigma/r min",
                "max",
                "Lipschitz bound: at first",
                "at last"));
    sweeps.forEach(sweep -> lines.add(row(sweep)));
    lines.add("Losses in nats per character. On manifolds the Lipschitz bound stays what it was.");
    return lines;
  }

  private static String row(String name, Run run) {
    return String.format(
        Locale.ROOT,
        "%-14s %8s %16.4f %8.1f %12.1f",
        name,
        run.learningRate(),
        run.validation(),
        run.seconds(),
        run.stepSeconds());
  }

  private static String row(Sweep sweep) {
    Run best = sweep.best();
    GptShape shape = sweep.shape();
    List<Double> values = GptPlot.singularValues(shape, best.weights());
    return String.format(
        Locale.ROOT,
        "%-14s %9.4f %8s  %-26s %11.4f %8.4f %25.3g %10.3g",
        sweep.name(),
        best.validation(),
        best.learningRate(),
        words(sweep.range()),
        values.get(values.size() - 1),
        values.get(0),
        Norms.lipschitzBound(shape, Norms.onManifolds(shape)),
        Norms.lipschitzBound(shape, Norms.measured(shape, best.weights())));
  }

  private static String words(Sweep.Range range) {
    return String.format(
        Locale.ROOT,
        "%.2g to %.2g (x %.1f%s)",
        range.from(),
        range.to(),
        range.factor(),
        range.open() ? " or more" : "");
  }
}
