package io.muond.quickstart;

import static io.muond.quickstart.Charts.addLine;
import static io.muond.quickstart.Charts.labelEvery;
import static io.muond.quickstart.Charts.panel;
import static io.muond.quickstart.Charts.smoothed;
import static io.muond.quickstart.Charts.steps;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.XYChart;

/** The picture at the end: the loss curves, and beside them the singular values. */
final class Plot {
  private Plot() {}

  /** Writes a PNG of both panels; spectra in the order of the outcomes. */
  static void write(Path file, List<Outcome> outcomes, List<Spectrum> spectra) throws IOException {
    Charts.write(file, List.of(lossPanel(outcomes), spectrumPanel(outcomes, spectra)));
  }

  private static XYChart lossPanel(List<Outcome> outcomes) {
    XYChart chart = panel("Cross-entropy loss", "step", "loss");
    labelEvery(chart, 40);
    for (int i = 0; i < outcomes.size(); i++) {
      Outcome outcome = outcomes.get(i);
      addLine(
          chart,
          outcome.name() + ", training",
          steps(outcome.steps(), 1),
          smoothed(outcome.trainingLoss()),
          i,
          Charts.LINE);
      int stepsPerEpoch = outcome.steps() / outcome.testLoss().size();
      addLine(
          chart,
          outcome.name() + ", test",
          steps(outcome.testLoss().size(), stepsPerEpoch),
          outcome.testLoss(),
          i,
          Charts.DASHES);
    }
    return chart;
  }

  private static XYChart spectrumPanel(List<Outcome> outcomes, List<Spectrum> spectra) {
    XYChart chart =
        panel("Singular values of all layers", "index, largest first", "singular value / radius");
    labelEvery(chart, 32);
    chart.getStyler().setYAxisMin(0.1);
    chart.getStyler().setYAxisMax(10.0);
    for (int i = 0; i < outcomes.size(); i++) {
      List<Double> values = spectra.get(i).values();
      addLine(chart, outcomes.get(i).name(), steps(values.size(), 1), values, i, Charts.LINE);
    }
    return chart;
  }
}
