package io.muond.client.cli;

import io.muond.client.Inspection;
import io.muond.v1.ParameterInspection;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import javax.imageio.ImageIO;

/** A histogram of each parameter's values, side by side in one picture. */
final class InspectionPicture {
  private static final int COLUMNS = 4;
  private static final int WIDTH = 300;
  private static final int HEIGHT = 170;
  private static final int MARGIN = 16;
  private static final int TITLE = 44;
  private static final int BARS = 40;

  /** 30 rows: a picture of 100 MB while it is drawn, which no screen shows at once. */
  private static final int MOST = 120;

  /** Pixels per point: sharp on a dense screen. */
  private static final int SCALE = 2;

  private static final Color INK = new Color(0x24292F);
  private static final Color FAINT = new Color(0xD0D4DA);
  private static final Color BAR = new Color(0x1F5FBF);

  private final Graphics2D graphics;

  private InspectionPicture(Graphics2D graphics) {
    this.graphics = graphics;
  }

  /** Writes a PNG. */
  static void write(Path file, String model, Inspection inspection) throws IOException {
    // Of a server, or of a shell without a screen: nothing is shown.
    System.setProperty("java.awt.headless", "true");
    List<ParameterInspection> parameters = shown(inspection);
    int columns = Math.max(1, Math.min(COLUMNS, parameters.size()));
    int rows = (parameters.size() + columns - 1) / columns;
    BufferedImage image =
        new BufferedImage(
            columns * WIDTH * SCALE, (TITLE + rows * HEIGHT) * SCALE, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    try {
      graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
      graphics.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      graphics.scale(SCALE, SCALE);
      graphics.setColor(Color.WHITE);
      graphics.fillRect(0, 0, columns * WIDTH, TITLE + rows * HEIGHT);
      InspectionPicture picture = new InspectionPicture(graphics);
      String title =
          model
              + " at step "
              + inspection.header().getStep()
              + omission(inspection).map(words -> ", " + words).orElse("");
      picture.text(title, 17, Font.BOLD, MARGIN, 28, columns * WIDTH - 2 * MARGIN);
      for (int i = 0; i < parameters.size(); i++) {
        picture.panel(parameters.get(i), i % columns * WIDTH, TITLE + i / columns * HEIGHT);
      }
    } finally {
      graphics.dispose();
    }
    if (!ImageIO.write(image, "png", file.toFile())) {
      throw new IOException(file + ": this JDK writes no PNG files");
    }
  }

  private static List<ParameterInspection> shown(Inspection inspection) {
    List<ParameterInspection> all = inspection.parameters();
    return all.subList(0, Math.min(MOST, all.size()));
  }

  /** What is missing in a picture of more parameters than have room. */
  static Optional<String> omission(Inspection inspection) {
    int all = inspection.parameters().size();
    return all <= MOST
        ? Optional.empty()
        : Optional.of(
            "the first %d of %d parameters (choose with --parameters)".formatted(MOST, all));
  }

  private void panel(ParameterInspection parameter, int x, int y) {
    int width = WIDTH - 2 * MARGIN;
    int base = y + HEIGHT - 40;
    int height = HEIGHT - 84;
    text(parameter.getName(), 13, Font.BOLD, x + MARGIN, y + 16, width);
    String residual = String.format(Locale.ROOT, "%.1e from its manifold", parameter.getResidual());
    text(residual, 11, Font.PLAIN, x + MARGIN, y + 32, width);
    Histogram histogram = Histogram.of(parameter.getValuesList(), BARS);
    double step = (double) width / BARS;
    graphics.setColor(BAR);
    for (int i = 0; i < BARS; i++) {
      double bar = (double) height * histogram.count(i) / Math.max(1, histogram.most());
      graphics.fill(new Rectangle2D.Double(x + MARGIN + i * step, base - bar, 0.85 * step, bar));
    }
    graphics.setColor(FAINT);
    graphics.setStroke(new BasicStroke(1));
    graphics.drawLine(x + MARGIN, base, x + MARGIN + width, base);
    Spread spread = Spread.of(parameter.getValuesList());
    String least = number(spread.least());
    String most = number(spread.most());
    text(least, 11, Font.PLAIN, x + MARGIN, base + 16, width);
    text(most, 11, Font.PLAIN, x + MARGIN + width - width(most, 11), base + 16, width);
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.4g", value);
  }

  private int width(String text, int size) {
    return graphics.getFontMetrics(new Font(Font.SANS_SERIF, Font.PLAIN, size)).stringWidth(text);
  }

  /** Cut to what has room. */
  private void text(String text, int size, int style, int x, int y, int room) {
    Font font = new Font(Font.SANS_SERIF, style, size);
    FontMetrics metrics = graphics.getFontMetrics(font);
    String shown = text;
    while (shown.length() > 1 && metrics.stringWidth(shown) > room) {
      shown = shown.substring(0, shown.length() - 2) + "…";
    }
    graphics.setFont(font);
    graphics.setColor(INK);
    graphics.drawString(shown, x, y);
  }
}
