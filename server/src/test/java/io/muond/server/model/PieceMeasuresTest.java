package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.common.base.Splitter;
import com.google.protobuf.TextFormat;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import io.muond.server.engine.TestEngines;
import io.muond.server.model.HostPiece.Values;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.ParameterInspection;
import io.muond.v1.ParameterInspection.Measure;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is measured, by what was declared and not by how it lies on the device. */
class PieceMeasuresTest {
  private static final Splitter WORDS = Splitter.on(' ');

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "shape: [8, 16] | SINGULAR_VALUES",
        "shape: [8, 16] norm: NORM_FROBENIUS | SINGULAR_VALUES",
        "shape: [8, 16] manifold: MANIFOLD_SPECTRAL_BALL | SINGULAR_VALUES",
        "shape: [8] | NORM",
        "shape: [8, 16] manifold: MANIFOLD_SPHERE | NORM",
        "shape: [8, 16] manifold: MANIFOLD_OBLIQUE | ROW_NORMS",
        "shape: [8] manifold: MANIFOLD_OBLIQUE | ROW_NORMS",
        "shape: [8, 1, 16] manifold: MANIFOLD_OBLIQUE | ROW_NORMS",
        "shape: [8, 4, 3, 3] manifold: MANIFOLD_OBLIQUE view: VIEW_KERNEL_POSITIONS | ROW_NORMS",
        "shape: [8, 16] manifold: MANIFOLD_CENTERED_OBLIQUE | ROW_NORMS",
        "shape: [8, 16] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN | COLUMN_NORMS",
        "shape: [1, 16] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN | COLUMN_NORMS",
        "shape: [16, 1] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN | COLUMN_NORMS",
        "shape: [8] manifold: MANIFOLD_EUCLIDEAN | NORM",
        "shape: [4096, 4096] manifold: MANIFOLD_EUCLIDEAN | SINGULAR_VALUES",
        "shape: [9, 4096, 4096] manifold: MANIFOLD_EUCLIDEAN norm: NORM_SPECTRAL | SINGULAR_VALUES",
        "shape: [50257, 768] manifold: MANIFOLD_EUCLIDEAN norm: NORM_ADAMW | ROW_NORMS",
        "shape: [128000, 4096] manifold: MANIFOLD_EUCLIDEAN norm: NORM_SPECTRAL | ROW_NORMS",
      })
  void whatIsDeclaredIsMeasured(String declared, String measure) {
    assertThat(PieceMeasures.measure(piece(declared)).name()).isEqualTo("MEASURE_" + measure);
  }

  private static Piece piece(String declared) {
    try {
      CreateModelRequest request =
          TextFormat.parse(
              "model: 'm' seed: 1 parameters { parameters { name: 'w' " + declared + " } }",
              CreateModelRequest.class);
      return ModelReader.read(request).parameters().get(0).pieces().get(0);
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
  }

  /**
   * Measures weights that need not be on their manifold.
   *
   * @param numbers as they lie on the device
   */
  private static ParameterInspection inspect(String declared, String numbers) {
    List<Float> w = WORDS.splitToStream(numbers).map(Float::valueOf).toList();
    ByteBuffer bytes = ByteBuffer.allocate(w.size() * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    w.forEach(bytes::putFloat);
    Engine engine = TestEngines.open(1, 1 << 20);
    try (Memory memory = engine.allocate("w", w.size())) {
      memory.receive(0, ElementType.FLOAT32, bytes.flip());
      Values values = Values.read(new Region(memory, 0, w.size()));
      HostPiece host = new HostPiece(piece(declared), values, null, null, null);
      return new PieceMeasures(host).inspect();
    } finally {
      TestEngines.close(engine);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        // max |W^T W / r^2 - I|, of the smaller Gram matrix.
        "shape: [2, 2] radius: 1                                      | 1.1 0 0 1       | 0.21",
        "shape: [2, 2] radius: 2                                      | 2.2 0 0 2       | 0.21",
        "shape: [2, 2] radius: 1                                      | 0.9 0 0 1       | 0.19",
        "shape: [2, 2] radius: 1                                      | 1 0.5 0 1       | 0.5",
        "shape: [2, 3] radius: 1                                      | 1.1 0 0 0 1 0   | 0.21",
        "shape: [3, 2] radius: 1                                      | 1.1 0 0 1 0 0   | 0.21",
        "shape: [2, 2, 2] radius: 1                                   | 1 0 0 1 1 0 0 1.1 | 0.21",
        // max(0, ||W|| / r - 1).
        "shape: [2, 2] radius: 1 manifold: MANIFOLD_SPECTRAL_BALL     | 0.5 0 0 1.2     | 0.2",
        "shape: [2, 2] radius: 2 manifold: MANIFOLD_SPECTRAL_BALL     | 1 0 0 2.4       | 0.2",
        "shape: [2, 2] radius: 1 manifold: MANIFOLD_SPECTRAL_BALL     | 0.5 0 0 0.9     | 0",
        // max |||w||^2 / r^2 - 1|, of rows, columns and whole tensors.
        "shape: [2, 2] radius: 1 manifold: MANIFOLD_OBLIQUE           | 1 0 0.9 1.2     | 1.25",
        "shape: [2, 2] radius: 2 manifold: MANIFOLD_OBLIQUE           | 2 0 1.8 2.4     | 1.25",
        "shape: [2, 2] radius: 1 manifold: MANIFOLD_OBLIQUE           | 0 1 0.3 0.4     | 0.75",
        "shape: [2, 3] radius: 1 manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN"
            + "| 1 0 0 1 0.9 1.2 | 1.25",
        "shape: [4] radius: 1                                         | 0.9 0 0 1.2     | 1.25",
        "shape: [2, 2] radius: 1 manifold: MANIFOLD_SPHERE            | 0.9 0 0 1.2     | 1.25",
        // |mean| sqrt(columns) / r too: (1, 0, 0, 0) has the mean 1/4.
        "shape: [1, 4] radius: 1 manifold: MANIFOLD_CENTERED_OBLIQUE  | 1 0 0 0         | 0.5",
        "shape: [2, 4] radius: 2 manifold: MANIFOLD_CENTERED_OBLIQUE  | 1 1 -1 -1 2 0 0 0 | 0.5",
        "shape: [1, 2] radius: 1 manifold: MANIFOLD_CENTERED_OBLIQUE  | -1 1            | 1",
        "shape: [2, 2] manifold: MANIFOLD_EUCLIDEAN                   | 3 0 4 5         | 0",
      })
  void theDistanceFromTheManifoldIsKnown(String declared, String numbers, double residual) {
    assertThat(inspect(declared, numbers).getResidual()).isCloseTo(residual, within(1e-6));
  }

  /** sqrt(45) and sqrt(5) are the singular values of (3, 0; 4, 5). */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[2, 2]    | 3 0 4 5         | 45 5",
        "[2, 3]    | 3 0 0 4 5 0     | 45 5",
        "[3, 2]    | 3 0 4 5 0 0     | 45 5",
        "[2, 2, 2] | 1 0 0 2 3 0 4 5 | 4 1 45 5",
      })
  void singularValuesAreExact(String shape, String numbers, String squares) {
    for (String manifold : List.of("STIEFEL", "SPECTRAL_BALL", "EUCLIDEAN")) {
      ParameterInspection inspected =
          inspect(
              "shape: %s manifold: MANIFOLD_%s norm: NORM_SPECTRAL".formatted(shape, manifold),
              numbers);
      assertThat(inspected.getMeasure()).isEqualTo(Measure.MEASURE_SINGULAR_VALUES);
      assertThat(inspected.getValuesPerMatrix()).isEqualTo(2);
      double[] expected = WORDS.splitToStream(squares).mapToDouble(Double::parseDouble).toArray();
      assertThat(inspected.getValuesList()).hasSize(expected.length);
      for (int i = 0; i < expected.length; i++) {
        assertThat(inspected.getValues(i)).isCloseTo(Math.sqrt(expected[i]), within(1e-13));
      }
    }
  }
}
