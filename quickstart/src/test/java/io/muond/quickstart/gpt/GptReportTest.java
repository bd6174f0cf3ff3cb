package io.muond.quickstart.gpt;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the example says and draws. */
class GptReportTest {
  private static final GptShape SHAPE = new GptShape(8, 8, 2, 2, 6, GptShape.Stretches.CONSTRAINED);

  /** Multiples of the identity, as far as they go: all singular values are the factor. */
  private static Map<String, Mat> weights(float factor) {
    Map<String, Mat> weights = new TreeMap<>();
    SHAPE
        .weights()
        .forEach(
            (name, shape) -> {
              Mat w = Mat.zeros(shape.rows(), shape.columns());
              double longest = name.equals("embed") ? Math.sqrt(SHAPE.width()) : shape.unit();
              for (int i = 0; i < Math.min(shape.rows(), shape.columns()); i++) {
                w.set(i, i, (float) (factor * shape.stretch() * longest));
              }
              weights.put(name, w);
            });
    return weights;
  }

  private static Run run(double rate, double loss, float factor) {
    return new Run(rate, List.of(3.0, 2.5, loss), loss, weights(factor), 12.34, 5.67);
  }

  private static final List<Sweep> SWEEPS =
      List.of(
          new Sweep("manifold Muon", SHAPE, List.of(run(0.1, 1.55, 1), run(0.2, 1.5, 1))),
          new Sweep("AdamW", SHAPE, List.of(run(0.001, 1.6, 2), run(0.002, Double.NaN, 2))));

  @Test
  void theTablesHaveEachRunAndEachBest() {
    List<String> lines = new GptReport(SWEEPS).lines();
    assertThat(lines)
        .contains(
            "manifold Muon       0.2           1.5000     12.3          5.7",
            "AdamW             0.002              NaN     12.3          5.7");
    String bound = bound(Norms.onManifolds(SHAPE));
    Map<String, Double> twice = new TreeMap<>();
    Norms.onManifolds(SHAPE).forEach((name, stretch) -> twice.put(name, 2 * stretch));
    assertThat(lines)
        .anyMatch(
            line ->
                line.matches(
                    "manifold Muon +1\\.5000 +0\\.2 +0\\.13 to 0\\.20 \\(x 1\\.\\d or more\\)"
                        + " +1\\.0000 +1\\.0000 +%1$s +%1$s".formatted(bound)))
        .anyMatch(
            line ->
                line.matches(
                    "AdamW +1\\.6000 +0\\.001 .* 2\\.0000 +2\\.0000 +%s +%s"
                        .formatted(bound, bound(twice))));
  }

  private static String bound(Map<String, Double> stretches) {
    return Pattern.quote(
        String.format(Locale.ROOT, "%.3g", Norms.lipschitzBound(SHAPE, stretches)));
  }

  @Test
  void thePictureShowsBothOptimizers(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("gpt.png");
    GptPlot.write(file, SWEEPS);
    BufferedImage image = ImageIO.read(file.toFile());
    assertThat(image.getWidth()).isGreaterThan(2 * image.getHeight());
    assertThat(colors(image)).contains(0x1F5FBF, 0xE2711D);
  }

  private static List<Integer> colors(BufferedImage image) {
    int[] pixels =
        image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
    return Arrays.stream(pixels).map(rgb -> rgb & 0xFFFFFF).distinct().boxed().toList();
  }
}
