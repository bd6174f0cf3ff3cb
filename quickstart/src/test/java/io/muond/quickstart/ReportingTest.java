package io.muond.quickstart;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportingTest {
  private final Outcome outcome =
      new Outcome(
          "manifold Muon", List.of(), List.of(2.3, 1.0, 0.4, 0.1), List.of(1.1, 0.2), 0.98611, 0.5);
  private final Spectrum spectrum = new Spectrum(List.of(1.00001, 1.0, 0.99999));

  @Test
  void aRowBeginsWithItsNameAndHasOnePercentage() {
    assertThat(Table.row(outcome, spectrum))
        .matches("manifold Muon +98\\.61 % +1\\.0000 +1\\.0000 +0\\.50 +8");
  }

  @Test
  void aSpectrumIsRelativeToTheRadius() {
    Mlp network = new Mlp(List.of(4, 1, 4), 1);
    Matrix in = new Matrix(1, 4, new float[] {0.5f, 0, 0, 0});
    Matrix out = new Matrix(4, 1, new float[] {0, 4, 0, 0});
    assertThat(Spectrum.of(network, List.of(in, out)).values()).containsExactly(2.0, 1.0);
  }

  @Test
  void thePictureHasTwoPanelsOfCurves(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("new/picture.png");
    Outcome other = new Outcome("AdamW", List.of(), List.of(2.3, 0.5), List.of(0.6), 0.9, 0.1);
    Spectrum otherSpectrum = new Spectrum(List.of(3.0, 0.1));
    Plot.write(file, List.of(outcome, other), List.of(spectrum, otherSpectrum));
    BufferedImage image = ImageIO.read(file.toFile());
    assertThat(image.getWidth()).isEqualTo(2400);
    int half = image.getWidth() / 2;
    assertThat(colors(image, 0, half)).contains(0x1F5FBF, 0xE2711D);
    assertThat(colors(image, half, 2 * half)).contains(0x1F5FBF, 0xE2711D);
  }

  private static Set<Integer> colors(BufferedImage image, int from, int to) {
    Set<Integer> colors = new HashSet<>();
    for (int x = from; x < to; x++) {
      for (int y = 0; y < image.getHeight(); y++) {
        colors.add(image.getRGB(x, y) & 0xFFFFFF);
      }
    }
    return colors;
  }
}
