package io.muond.quickstart.gpt;

import static io.muond.quickstart.Charts.addDottedLine;
import static io.muond.quickstart.Charts.addLine;
import static io.muond.quickstart.Charts.labelEvery;
import static io.muond.quickstart.Charts.panel;
import static io.muond.quickstart.Charts.smoothed;
import static io.muond.quickstart.Charts.steps;

import io.muond.quickstart.Charts;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.style.Styler;

/** The picture: losses over learning rates, the best runs' losses, their singular values. */
final class GptPlot {
  private GptPlot() {}

  static void write(Path file, List<Sweep> sweeps) throws IOException {
    Charts.write(file, List.of(rates(sweeps), losses(sweeps), spectra(sweeps)));
  }

  /**
   * Rates relative to the best one, so that both optimizers stand side by side. What diverged, to
   * no number or beyond the loss of a guess, is left out.
   */
  private static XYChart rates(List<Sweep> sweeps) {
    XYChart chart =
        panel("Validation loss", "learning rate / best learning rate", "cross-entropy, nats");
    chart.getStyler().setYAxisLogarithmic(false);
    chart.getStyler().setXAxisMin((Double) null);
    chart.getStyler().setLegendPosition(Styler.LegendPosition.InsideN);
    chart.setCustomXAxisTickLabelsFormatter(GptPlot::powerOfTwo);
    for (int i = 0; i < sweeps.size(); i++) {
      Sweep sweep = sweeps.get(i);
      List<Run> runs =
          sweep.runs().stream()
              .filter(run -> run.validation() < Math.log(sweep.shape().vocabulary()))
              .toList();
      addDottedLine(
          chart,
          sweep.name(),
          runs.stream().map(run -> octaves(run, sweep.best())).toList(),
          runs.stream().map(Run::validation).toList(),
          i);
    }
    return chart;
  }

  /** The logarithm to base 2 of a run's learning rate over the best one's. */
  private static double octaves(Run run, Run best) {
    return Math.log(run.learningRate() / best.learningRate()) / Math.log(2);
  }

  /** Its value, if x is whole. */
  private static String powerOfTwo(double x) {
    if (x != Math.rint(x)) {
      return " ";
    }
    String power = String.valueOf(1L << (long) Math.abs(x));
    return x < 0 ? "1/" + power : power;
  }

  private static XYChart losses(List<Sweep> sweeps) {
    XYChart chart = panel("Training loss at the best rate", "step", "cross-entropy, nats");
    chart.getStyler().setYAxisLogarithmic(false);
    labelEvery(chart, 50);
    for (int i = 0; i < sweeps.size(); i++) {
      List<Double> losses = sweeps.get(i).best().training();
      addLine(
          chart, sweeps.get(i).name(), steps(losses.size(), 1), smoothed(losses), i, Charts.LINE);
    }
    return chart;
  }

  private static XYChart spectra(List<Sweep> sweeps) {
    XYChart chart =
        panel("Singular values of all matrices", "index, largest first", "singular value / radius");
    labelEvery(chart, 500);
    chart.getStyler().setYAxisMin(0.01);
    chart.getStyler().setYAxisMax(100.0);
    for (int i = 0; i < sweeps.size(); i++) {
      Sweep sweep = sweeps.get(i);
      List<Double> values = singularValues(sweep.shape(), sweep.best().weights());
      addLine(chart, sweep.name(), steps(values.size(), 1), values, i, Charts.LINE);
    }
    return chart;
  }

  /** Of all matrices but the embedding, whose rows are what is constrained; descending. */
  static List<Double> singularValues(GptShape shape, Map<String, Mat> weights) {
    List<Double> all = new ArrayList<>();
    shape
        .weights()
        .forEach(
            (name, weight) -> {
              if (weight.isMatrix() && !name.equals("embed")) {
                for (double value : Norms.singularValues(weight, weights.get(name))) {
                  all.add(value);
                }
              }
            });
    all.sort(Comparator.reverseOrder());
    return all;
  }
}
