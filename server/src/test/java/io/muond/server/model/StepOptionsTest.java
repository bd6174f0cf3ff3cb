package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.manifold.Pair;
import io.muond.server.engine.Dealing;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.Rule;
import io.muond.v1.CommitOptions;
import io.muond.v1.ReportDetail;
import java.util.List;
import org.junit.jupiter.api.Test;

class StepOptionsTest {
  private static final CommitOptions OPTIMUM =
      CommitOptions.newBuilder()
          .setLearningRate(0.1)
          .setReportDetail(ReportDetail.REPORT_DETAIL_OPTIMUM)
          .build();

  private static void read(CommitOptions options, ManifoldKind manifold, long rows, long columns) {
    read(options, manifold, rows, columns, Long.MAX_VALUE);
  }

  private static void read(
      CommitOptions options, ManifoldKind manifold, long rows, long columns, long hostBytes) {
    BatchSpec spec = new BatchSpec(manifold, 1, rows, columns, 1, Rule.DEFAULT);
    Piece w =
        new Piece(
            0,
            "w",
            "w",
            "rule",
            List.of(rows, columns),
            0,
            Pair.STIEFEL_SPECTRAL,
            spec,
            Dealing.NONE,
            "",
            1);
    StepOptions.check(options, List.of(w), hostBytes);
  }

  private static void refused(long rows, long columns) {
    assertThatThrownBy(() -> read(OPTIMUM, ManifoldKind.STIEFEL, rows, columns))
        .isInstanceOf(MuondException.class)
        .hasMessageContaining("report_detail: REPORT_DETAIL_OPTIMUM")
        .hasMessageContaining("16384")
        .hasMessageContaining("\"w\"");
  }

  @Test
  void theOptimumOfMatricesTooLargeForItIsRefused() {
    refused(16_385, 16_385);
    refused(16_385, 8_193);
    refused(8_193, 100_000);
    refused(1 << 20, 257);
    refused(1L << 40, 1);
  }

  @Test
  void anOptimumThatDoesNotFitIntoTheHostIsRefused() {
    // U, G, A and three more of 64 x 16, and four of 32 x 32, in float64.
    long needed = 8 * (6 * 64 * 16 + 4 * 32 * 32);
    assertThatThrownBy(() -> read(OPTIMUM, ManifoldKind.STIEFEL, 64, 16, needed - 1))
        .isInstanceOf(MuondException.class)
        .hasMessageContaining("report_detail: REPORT_DETAIL_OPTIMUM")
        .hasMessageContaining("\"w\": its optimum needs " + needed + " bytes")
        .hasMessageContaining("may take " + (needed - 1));
    assertThatCode(() -> read(OPTIMUM, ManifoldKind.STIEFEL, 64, 16, needed))
        .doesNotThrowAnyException();
    assertThatCode(() -> read(OPTIMUM, ManifoldKind.STIEFEL, 16_384, 16_384, 34L << 30))
        .doesNotThrowAnyException();
  }

  @Test
  void smallerOnesAndOtherManifoldsAreNot() {
    assertThatCode(() -> read(OPTIMUM, ManifoldKind.STIEFEL, 16_384, 16_384))
        .doesNotThrowAnyException();
    assertThatCode(() -> read(OPTIMUM, ManifoldKind.STIEFEL, 8_192, 32_768))
        .doesNotThrowAnyException();
    assertThatCode(() -> read(OPTIMUM, ManifoldKind.OBLIQUE, 1, 1L << 40))
        .doesNotThrowAnyException();
  }
}
