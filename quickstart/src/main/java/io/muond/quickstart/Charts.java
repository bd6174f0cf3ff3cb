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
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Charts in one style, side by side in one picture. */
public final class Charts {
  /** Solid. */
  public static final BasicStroke LINE =
      new BasicStroke(2.2f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);

  /** Broken. */
  public static final BasicStroke DASHES =
      new BasicStroke(
          1.8f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10, new float[] {6, 4}, 0);

  private static final int PANEL_WIDTH = 600;
  private static final int PANEL_HEIGHT = 440;

  /** Pixels per point: sharp on a dense screen. */
  private static final int SCALE = 2;

  private static final List<Color> COLORS = List.of(new Color(0x1F5FBF), new Color(0xE2711D));
  private static final Color INK = new Color(0x24292F);
  private static final Color FAINT = new Color(0xE3E6EA);

  /** The weight of the past in a running mean. */
  private static final double PAST = 0.9;

  private Charts() {}

  /** Writes a PNG of the charts, from left to right. */
  public static void write(Path file, List<XYChart> charts) throws IOException {
    BufferedImage image =
        new BufferedImage(
            charts.size() * PANEL_WIDTH * SCALE, PANEL_HEIGHT * SCALE, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    try {
      graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
      graphics.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      graphics.scale(SCALE, SCALE);
      for (XYChart chart : charts) {
        chart.paint(graphics, PANEL_WIDTH, PANEL_HEIGHT);
        graphics.translate(PANEL_WIDTH, 0);
      }
    } finally {
      graphics.dispose();
    }
    Files.createDirectories(file.toAbsolutePath().getParent());
    if (!ImageIO.write(image, "png", file.toFile())) {
      throw new IOException("%s: this JDK writes no PNG files".formatted(file));
    }
  }

  /** An empty chart whose y axis is logarithmic. */
  public static XYChart panel(String title, String x, String y) {
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
  public static void labelEvery(XYChart chart, int apart) {
    chart.setCustomXAxisTickLabelsFormatter(
        x -> x % apart == 0 ? String.valueOf(x.intValue()) : " ");
  }

  /**
   * Adds a line.
   *
   * @param color 0 or 1: the same optimizer has the same everywhere
   */
  public static void addLine(
      XYChart chart, String name, List<Double> x, List<Double> y, int color, BasicStroke stroke) {
    XYSeries series = chart.addSeries(name, x, y);
    series.setMarker(SeriesMarkers.NONE);
    series.setLineColor(COLORS.get(color));
    series.setLineStyle(stroke);
  }

  /** Adds a line with a dot at each point. */
  public static void addDottedLine(
      XYChart chart, String name, List<Double> x, List<Double> y, int color) {
    addLine(chart, name, x, y, color, LINE);
    XYSeries series = chart.getSeriesMap().get(name);
    Marker dot = SeriesMarkers.CIRCLE;
    series.setMarker(dot);
    series.setMarkerColor(COLORS.get(color));
  }

  /** apart, 2 apart, …, count apart. */
  public static List<Double> steps(int count, int apart) {
    return IntStream.rangeClosed(1, count).mapToObj(i -> (double) i * apart).toList();
  }

  /** A running mean over about 10 values that does not lean towards its beginning. */
  public static List<Double> smoothed(List<Double> values) {
    List<Double> means = new ArrayList<>(values.size());
    double sum = 0;
    double weight = 0;
    for (double value : values) {
      sum = PAST * sum + value;
      weight = PAST * weight + 1;
      means.add(sum / weight);
    }
    return means;
  }

  private static Font font(int style, int size) {
    return new Font(Font.SANS_SERIF, style, size);
  }
}
