package io.muond.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.Inspection;
import io.muond.v1.InspectionHeader;
import io.muond.v1.ParameterInspection;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class InspectionPictureTest {
  private static final ParameterInspection PARAMETER =
      ParameterInspection.newBuilder().setName("w").addValues(1).addValues(2).build();

  @TempDir private Path directory;

  @Test
  void aPictureOfManyParametersHasTheFirst() throws IOException {
    Inspection few = inspection(120);
    Inspection many = inspection(1_000);
    assertThat(InspectionPicture.omission(few)).isEmpty();
    assertThat(InspectionPicture.omission(many))
        .hasValue("the first 120 of 1000 parameters (choose with --parameters)");
    assertThat(height(many)).isEqualTo(height(few));
  }

  private int height(Inspection inspection) throws IOException {
    Path file = directory.resolve("picture.png");
    InspectionPicture.write(file, "m", inspection);
    BufferedImage image = ImageIO.read(file.toFile());
    return image.getHeight();
  }

  private static Inspection inspection(int parameters) {
    List<ParameterInspection> all = Collections.nCopies(parameters, PARAMETER);
    return new Inspection(InspectionHeader.getDefaultInstance(), all);
  }
}
