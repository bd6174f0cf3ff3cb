package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.TextFormat;
import io.muond.v1.CreateModelRequest;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is measured, by what was declared and not by how it lies on the device. */
class PieceMeasuresTest {
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
  void whatIsDeclaredIsMeasured(String declared, String measure) throws TextFormat.ParseException {
    CreateModelRequest request =
        TextFormat.parse(
            "model: 'm' seed: 1 parameters { parameters { name: 'w' " + declared + " } }",
            CreateModelRequest.class);
    Piece piece = ModelReader.read(request).parameters().get(0).pieces().get(0);
    assertThat(PieceMeasures.measure(piece).name()).isEqualTo("MEASURE_" + measure);
  }
}
