package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.TextFormat;
import io.muond.server.engine.Dealing;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.Start;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Parameter;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What becomes of declared parameters: pieces, and batches of them. */
class LayoutTest {
  private static List<ParameterSpec> read(String text) {
    try {
      return ModelReader.read(
              TextFormat.parse("model: 'm' seed: 1 " + text, CreateModelRequest.class))
          .parameters();
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
  }

  private static Piece piece(String declared) {
    return read("parameters { parameters { name: 'w' " + declared + " } }").get(0).pieces().get(0);
  }

  private static void assertPiece(
      String declared, ManifoldKind manifold, NormKind norm, long... countRowsColumns) {
    BatchSpec spec = piece(declared).spec();
    assertThat(spec.manifold()).as(declared).isEqualTo(manifold);
    assertThat(spec.norm()).as(declared).isEqualTo(norm);
    assertThat(new long[] {spec.count(), spec.rows(), spec.columns()})
        .as(declared)
        .isEqualTo(countRowsColumns);
  }

  @Test
  void fusedWeightsAreSteppedWithPartsDeclaredApart() {
    Layout layout =
        Layout.of(
            read(
                """
                default_rule { momentum: 0.9 }
                parameters {
                  parameters { name: "qkv" shape: [21, 4]
                    ranges { name: "q" rows: 8 } ranges { name: "k" rows: 5 }
                    ranges { name: "v" rows: 8 learning_rate_multiplier: 2 group: "g" } }
                  parameters { name: "o" shape: [8, 4] }
                  parameters { name: "p" shape: [8, 4] rule { momentum: 0.9 msign_steps: 8 } }
                  parameters { name: "r" shape: [8, 4] rule { momentum: 0.8 } }
                }"""),
            new SgdOptimizer());
    assertThat(layout.batches().stream().map(b -> b.members().stream().map(Piece::name).toList()))
        .containsExactly(List.of("qkv[q]", "qkv[v]", "o", "p"), List.of("qkv[k]"), List.of("r"));
    assertThat(layout.batches().get(0).spec().count()).isEqualTo(4);
    assertThat(layout.places().get(2)).isEqualTo(new Layout.Place(0, 32));
    // Row 1 of the second matrix, qkv[v], is row 8 + 5 + 1 of qkv.
    assertThat(layout.batches().get(0).member(1).index(4)).isEqualTo((8 + 5 + 1) * 4);
  }

  @Test
  void everyPairIsSeenAsItIsStepped() {
    assertPiece("shape: [5, 3, 4]", ManifoldKind.STIEFEL, NormKind.SPECTRAL, 5, 3, 4);
    assertPiece(
        "shape: [3, 4] norm: NORM_FROBENIUS", ManifoldKind.STIEFEL, NormKind.FROBENIUS, 1, 3, 4);
    assertPiece("shape: [6]", ManifoldKind.OBLIQUE, NormKind.LARGEST_ROW, 1, 1, 6);
    assertPiece(
        "shape: [3, 4] manifold: MANIFOLD_CENTERED_OBLIQUE",
        ManifoldKind.CENTERED_OBLIQUE,
        NormKind.LARGEST_ROW,
        1,
        3,
        4);
    assertPiece(
        "shape: [3, 4] manifold: MANIFOLD_SPECTRAL_BALL",
        ManifoldKind.SPECTRAL_BALL,
        NormKind.SPECTRAL,
        1,
        3,
        4);
    String euclidean = "shape: [3, 4, 2] manifold: MANIFOLD_EUCLIDEAN";
    assertPiece(euclidean, ManifoldKind.EUCLIDEAN, NormKind.ADAMW, 1, 3, 8);
    assertPiece(
        euclidean + " norm: NORM_SPECTRAL", ManifoldKind.EUCLIDEAN, NormKind.SPECTRAL, 3, 4, 2);
    assertPiece(
        euclidean + " norm: NORM_FROBENIUS", ManifoldKind.EUCLIDEAN, NormKind.FROBENIUS, 1, 3, 8);
    assertPiece(
        euclidean + " norm: NORM_LARGEST_ENTRY",
        ManifoldKind.EUCLIDEAN,
        NormKind.LARGEST_ENTRY,
        1,
        3,
        8);
  }

  @Test
  void columnsAndKernelPositionsAreDealtOut() {
    String columns = " manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN";
    assertPiece("shape: [2, 3, 4]" + columns, ManifoldKind.OBLIQUE, NormKind.LARGEST_ROW, 2, 4, 3);
    assertThat(piece("shape: [2, 3, 4]" + columns).dealing()).isEqualTo(new Dealing(4, 3));
    assertThat(piece("shape: [2, 3, 4]" + columns).spec().radius()).isEqualTo(Math.sqrt(3));
    String kernel = "shape: [5, 4, 3, 2] view: VIEW_KERNEL_POSITIONS";
    assertPiece(kernel, ManifoldKind.STIEFEL, NormKind.SPECTRAL, 6, 5, 4);
    assertThat(piece(kernel).dealing()).isEqualTo(new Dealing(6, 20));
    // Element (o, i, y, x) = (2, 3, 1, 0) of the tensor is (2, 3) of matrix 2.
    assertThat(piece(kernel).index(2, 2 * 4 + 3)).isEqualTo(((2 * 4 + 3) * 3 + 1) * 2);
    assertPiece(kernel + columns, ManifoldKind.OBLIQUE, NormKind.LARGEST_ROW, 1, 24, 5);
    assertThat(piece(kernel + columns).dealing()).isEqualTo(new Dealing(24, 5));
    assertPiece("shape: [5, 4, 3, 2]", ManifoldKind.STIEFEL, NormKind.SPECTRAL, 1, 5, 24);
  }

  @Test
  void whatMeansNothingIsDroppedFromTheDefaultRule() {
    List<ParameterSpec> read =
        read(
            """
            default_rule { momentum: 0.9 weight_decay: 0.1 adamw { beta1: 0.8 }
              solver: SOLVER_ADMM msign_steps: 5 nesterov: true }
            parameters {
              parameters { name: "s" shape: [3, 2] }
              parameters { name: "b" shape: [3] manifold: MANIFOLD_EUCLIDEAN }
              parameters { name: "m" shape: [3, 2] manifold: MANIFOLD_EUCLIDEAN norm: NORM_SPECTRAL }
              parameters { name: "o" shape: [3, 2] manifold: MANIFOLD_OBLIQUE }
            }""");
    assertThat(
            read.stream()
                .map(
                    p ->
                        TextFormat.printer()
                            .emittingSingleLine(true)
                            .printToString(rule(p))
                            .strip()))
        .containsExactly(
            "solver: SOLVER_ADMM precision: PRECISION_FLOAT32 msign_steps: 5 momentum: 0.9"
                + " nesterov: true admm { rho: 4.0 iterations: 10 }",
            "weight_decay: 0.1 adamw { beta1: 0.8 beta2: 0.999 epsilon: 1.0E-8 }",
            "precision: PRECISION_FLOAT32 msign_steps: 5 momentum: 0.9 nesterov: true"
                + " weight_decay: 0.1",
            "momentum: 0.9 nesterov: true");
    assertThat(read.get(1).pieces().get(0).spec().rule().adamw().beta1()).isEqualTo(0.8);
    assertThat(read.get(1).pieces().get(0).spec().rule().weightDecay()).isEqualTo(0.1);
    assertThat(read.get(1).pieces().get(0).spec().start()).isEqualTo(Start.ZERO);
    assertThat(read.get(3).pieces().get(0).spec().rule().weightDecay()).isZero();
  }

  private static io.muond.v1.Rule rule(ParameterSpec parameter) {
    Parameter declaration = parameter.declaration();
    return declaration.getRule();
  }
}
