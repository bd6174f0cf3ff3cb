package io.muond.quickstart;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The picture at the end: the loss curves, and beside them the singular values. */
final class Plot {
  private static final int PANEL_WIDTH = 600;
  private static final int PANEL_HEIGHT = 440;

  /** Pixels per point: sharp on a dense screen when shown 1,200 pixels wide. */
  private static final int SCALE = 2;

  private static final List<Color> COLORS = List.of(new Color(0x1F5FBF), new Color(0xE2711D));
  private static final Color INK = new Color(0x24292F);
  private static final Color FAINT = new Color(0xE3E6EA);
  private static final BasicStroke LINE =
      new BasicStroke(2.2f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);
  private static final BasicStroke DASHES =
      new BasicStroke(
          1.8f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10, new float[] {6, 4}, 0);

  /** The weight of the past in the running mean of the training loss: about 10 steps. */
  private static final double SMOOTHING = 0.9;

  private Plot() {}

  /** Writes a PNG of both panels; spectra in the order of the outcomes. */
  static void write(Path file, List<Outcome> outcomes, List<Spectrum> spectra) throws IOException {
    BufferedImage image =
        new BufferedImage(
            2 * PANEL_WIDTH * SCALE, PANEL_HEIGHT * SCALE, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    try {
      graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
      graphics.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      graphics.scale(SCALE, SCALE);
      lossPanel(outcomes).paint(graphics, PANEL_WIDTH, PANEL_HEIGHT);
      graphics.translate(PANEL_WIDTH, 0);
      spectrumPanel(outcomes, spectra).paint(graphics, PANEL_WIDTH, PANEL_HEIGHT);
    } finally {
      graphics.dispose();
    }
    Files.createDirectories(file.toAbsolutePath().getParent());
    if (!ImageIO.write(image, "png", file.toFile())) {
      throw new IOException("%s: this JDK writes no PNG files".formatted(file));
    }
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
          COLORS.get(i),
          LINE);
      int stepsPerEpoch = outcome.steps() / outcome.testLoss().size();
      addLine(
          chart,
          outcome.name() + ", test",
          steps(outcome.testLoss().size(), stepsPerEpoch),
          outcome.testLoss(),
          COLORS.get(i),
          DASHES);
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
      addLine(chart, outcomes.get(i).name(), steps(values.size(), 1), values, COLORS.get(i), LINE);
    }
    return chart;
  }

  private static XYChart panel(String title, String x, String y) {
    XYChart chart =
        new XYChartBuilder()
            .width(PANEL_WIDTH)
            .height(PANEL_HEIGHT)
            .title(title)
            .xAxisTitle(x)
            .yAxisTitle(y)
            .build();
    XYStyler style = chart.getStyler();
    style.setYAxisLogarithmic(true);
    style.setXAxisMin(0.0);
    style.setLegendPosition(Styler.LegendPosition.InsideNE);
    style.setLegendBorderColor(FAINT);
    style.setLegendFont(font(Font.PLAIN, 13));
    style.setLegendSeriesLineLength(28);
    style.setChartBackgroundColor(Color.WHITE);
    style.setPlotBackgroundColor(Color.WHITE);
    style.setPlotBorderVisible(false);
    style.setPlotGridLinesColor(FAINT);
    style.setPlotGridLinesStroke(new BasicStroke(1));
    style.setChartFontColor(INK);
    style.setChartTitleBoxVisible(false);
    style.setChartTitleFont(font(Font.BOLD, 17));
    style.setAxisTitleFont(font(Font.PLAIN, 14));
    style.setAxisTickLabelsFont(font(Font.PLAIN, 13));
    style.setAxisTickLabelsColor(INK);
    style.setChartPadding(14);
    return chart;
  }

  /** Leaves out the labels in between, which XChart puts as close as they go. */
  private static void labelEvery(XYChart chart, int apart) {
    chart.setCustomXAxisTickLabelsFormatter(
        x -> x % apart == 0 ? String.valueOf(x.intValue()) : " ");
  }

  private static void addLine(
      XYChart chart, String name, List<Double> x, List<Double> y, Color color, BasicStroke stroke) {
    XYSeries series = chart.addSeries(name, x, y);
    series.setMarker(SeriesMarkers.NONE);
    series.setLineColor(color);
    series.setLineStyle(stroke);
  }

  private static List<Double> steps(int count, int apart) {
    return IntStream.rangeClosed(1, count).mapToObj(i -> (double) i * apart).toList();
  }

  /** A running mean that does not lean towards its beginning. */
  private static List<Double> smoothed(List<Double> values) {
    List<Double> means = new ArrayList<>(values.size());
    double sum = 0;
    double weight = 0;
    for (double value : values) {
      sum = SMOOTHING * sum + value;
      weight = SMOOTHING * weight + 1;
      means.add(sum / weight);
    }
    return means;
  }

  private static Font font(int style, int size) {
    return new Font(Font.SANS_SERIF, style, size);
  }
}
