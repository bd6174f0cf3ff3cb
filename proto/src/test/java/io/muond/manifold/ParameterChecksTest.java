package io.muond.manifold;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.TextFormat;
import io.muond.v1.Parameter;
import io.muond.v1.RowRange;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ParameterChecksTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          shape: [8, 2]                            | manifold: MANIFOLD_STIEFEL norm: NORM_SPECTRAL view: VIEW_LAST_TWO radius: 2
          shape: [3, 8, 2] norm: NORM_FROBENIUS    | manifold: MANIFOLD_STIEFEL view: VIEW_LAST_TWO radius: 2
          shape: [36, 2, 1, 2]                     | manifold: MANIFOLD_STIEFEL norm: NORM_SPECTRAL view: VIEW_FLATTENED radius: 3
          shape: [8, 2, 2, 2] view: VIEW_KERNEL_POSITIONS | manifold: MANIFOLD_STIEFEL norm: NORM_SPECTRAL radius: 0.5
          shape: [9]                               | manifold: MANIFOLD_SPHERE norm: NORM_FROBENIUS radius: 1
          manifold: MANIFOLD_SPHERE                | norm: NORM_FROBENIUS radius: 1
          shape: [2, 9] manifold: MANIFOLD_OBLIQUE | norm: NORM_LARGEST_ROW view: VIEW_LAST_TWO radius: 3
          shape: [9, 2] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN | view: VIEW_LAST_TWO radius: 3
          shape: [2, 9] manifold: MANIFOLD_CENTERED_OBLIQUE | norm: NORM_LARGEST_ROW view: VIEW_LAST_TWO radius: 3
          shape: [9] manifold: MANIFOLD_OBLIQUE    | norm: NORM_LARGEST_ROW radius: 3
          shape: [5, 3, 3, 1] manifold: MANIFOLD_CENTERED_OBLIQUE | norm: NORM_LARGEST_ROW view: VIEW_FLATTENED radius: 3
          shape: [2, 8] manifold: MANIFOLD_SPECTRAL_BALL radius: 7 | norm: NORM_SPECTRAL view: VIEW_LAST_TWO
          shape: [2] manifold: MANIFOLD_EUCLIDEAN  | norm: NORM_ADAMW radius: 1 initial: INITIAL_ZERO
          shape: [2] manifold: MANIFOLD_EUCLIDEAN initial: INITIAL_ONE | norm: NORM_ADAMW radius: 1
          shape: [2, 2] manifold: MANIFOLD_EUCLIDEAN norm: NORM_SPECTRAL | view: VIEW_LAST_TWO radius: 1 initial: INITIAL_GAUSSIAN
          shape: [2, 2] manifold: MANIFOLD_EUCLIDEAN norm: NORM_LARGEST_ENTRY rule {weight_decay: 0.1 momentum: 0.9} | radius: 1 initial: INITIAL_GAUSSIAN
          """)
  void defaultsAreFilledIn(String declared, String defaults) throws Exception {
    Parameter parameter = parameter(declared);
    Parameter expected =
        parameter.toBuilder()
            .mergeFrom(TextFormat.parse(defaults, Parameter.class))
            .setLearningRateMultiplier(1)
            .build();
    assertThat(ParameterChecks.complete(parameter)).isEqualTo(expected);
    assertThat(ParameterChecks.complete(expected)).isEqualTo(expected);
  }

  @Test
  void rangesAreParametersOfTheirOwn() throws Exception {
    Parameter fused =
        parameter(
            "shape: [24, 4] ranges {name: 'q' rows: 8 heads: 2 group: 'g' rule {frozen: true}}"
                + " ranges {name: 'b' rows: 16 manifold: MANIFOLD_OBLIQUE radius: 3}");
    Parameter complete = ParameterChecks.complete(fused);
    assertThat(complete.toBuilder().clearRanges().build())
        .isEqualTo(fused.toBuilder().clearRanges().build());
    assertThat(complete.getRangesList())
        .containsExactly(
            TextFormat.parse(
                "name: 'q' rows: 8 heads: 2 group: 'g' rule {frozen: true}"
                    + " manifold: MANIFOLD_STIEFEL norm: NORM_SPECTRAL view: VIEW_LAST_TWO"
                    + " radius: 1 learning_rate_multiplier: 1",
                RowRange.class),
            TextFormat.parse(
                "name: 'b' rows: 16 heads: 1 manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_ROW view: VIEW_LAST_TWO"
                    + " radius: 3 learning_rate_multiplier: 1",
                RowRange.class));
    assertThat(ParameterChecks.complete(complete)).isEqualTo(complete);
    assertThat(ParameterChecks.shape(fused.getRanges(0), List.of(24L, 4L)))
        .containsExactly(2L, 4L, 4L);
    assertThat(ParameterChecks.shape(fused.getRanges(1), List.of(24L, 4L)))
        .containsExactly(16L, 4L);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          name: 'a b'                             | name: "a b" (expected: 1 to 256 printable ASCII
          shape: [3, 0]                           | shape: (3, 0) (expected: each dimension 1 to 2147483647)
          shape: [2147483648]                     | shape: (2147483648) (expected: each dimension
          shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] | shape: 9 dimensions (expected: at most 8)
          shape: [2147483647, 2147483647]         | shape: (2147483647, 2147483647) (expected: fewer than 2^58 elements)
          shape: [2147483647, 2147483647, 2147483647] | shape: (2147483647, 2147483647, 2147483647) (expected: fewer
          shape: [2, 2] manifold: 9               | manifold: 9 (expected: a known manifold)
          shape: [2, 2] norm: 9                   | norm: 9 (expected: a known norm)
          shape: [2, 2] view: 9                   | view: 9 (expected: a known view)
          shape: [2, 2] initial: 9                | initial: 9 (expected: a known initial)
          shape: [2, 2] norm: NORM_LARGEST_ROW    | norm: largest-row (expected: spectral or frobenius on the manifold stiefel)
          shape: [2] norm: NORM_SPECTRAL          | norm: spectral (expected: frobenius on the manifold sphere)
          shape: [2] manifold: MANIFOLD_EUCLIDEAN norm: NORM_LARGEST_COLUMN | norm: largest-column (expected: adamw, spectral, frobenius or largest-entry on
          shape: [2] manifold: MANIFOLD_STIEFEL   | shape: (2) (expected: 2 or more dimensions on stiefel with spectral)
          shape: [2] manifold: MANIFOLD_EUCLIDEAN norm: NORM_SPECTRAL | shape: (2) (expected: 2 or more dimensions on euclidean
          shape: [2] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN | shape: (2) (expected: 2 or more
          shape: [2, 1] manifold: MANIFOLD_CENTERED_OBLIQUE | shape: (2, 1) (expected: rows of 2 or more elements on centered-oblique
          shape: [65536, 65536] manifold: MANIFOLD_SPHERE | shape: (65536, 65536) (expected: at most 2147483647 elements
          shape: [65536, 65536, 2] manifold: MANIFOLD_OBLIQUE | shape: (65536, 65536, 2) (expected: at most 2147483647 rows)
          shape: [65536, 65536, 2, 2] view: VIEW_LAST_TWO | shape: (65536, 65536, 2, 2) (expected: at most 2147483647 matrices)
          shape: [2, 2] view: VIEW_KERNEL_POSITIONS | view: kernel-positions (expected: 3 or more dimensions, not shape (2, 2))
          shape: [2, 2] manifold: MANIFOLD_SPHERE view: VIEW_LAST_TWO | view: last-two (expected: none: sphere with frobenius sees no matrices)
          shape: [2, 2] initial: INITIAL_ONE      | initial: one (expected: only on the manifold euclidean)
          shape: [2, 2] radius: 0                 | radius: 0.0 (expected: a number > 0 and finite as a float32)
          shape: [2, 2] radius: -1                | radius: -1.0 (expected
          shape: [2, 2] radius: nan               | radius: NaN (expected
          shape: [2, 2] radius: 1e39              | radius: 1.0E39 (expected
          shape: [2, 2] learning_rate_multiplier: -1 | learning_rate_multiplier: -1.0 (expected: a finite number >= 0)
          shape: [2, 2] rule {momentum: 1}        | rule.momentum: 1.0 (expected: a number in [0, 1))
          shape: [2, 2] rule {msign_steps: 65}    | rule.msign_steps: 65 (expected: 1 to 64)
          shape: [2, 2] rule {solver: 9}          | rule.solver: 9 (expected: a known solver)
          shape: [2, 2] rule {precision: 9}       | rule.precision: 9 (expected: a known precision)
          shape: [2, 2] rule {weight_decay: 1}    | rule.weight_decay: 1.0 (expected: only with the manifold euclidean)
          shape: [2, 2] rule {adamw {}}           | rule.adamw: given (expected: only with the norm adamw)
          shape: [2, 2] rule {admm {}}            | rule.admm: given (expected: only with the solver admm)
          shape: [2, 2] rule {dual_ascent {}}     | rule.dual_ascent: given (expected: only with the solver dual-ascent)
          shape: [2, 2] rule {solver: SOLVER_ADMM admm {rho: 0}} | rule.admm.rho: 0.0 (expected: a finite number > 0)
          shape: [2, 2] rule {solver: SOLVER_ADMM admm {iterations: 0}} | rule.admm.iterations: 0 (expected: 1 to 10000)
          shape: [2, 2] rule {solver: SOLVER_DUAL_ASCENT dual_ascent {alpha: nan}} | rule.dual_ascent.alpha: NaN (
          shape: [2, 2] rule {solver: SOLVER_DUAL_ASCENT dual_ascent {iterations: 10001}} | rule.dual_ascent.iterations: 10001 (
          shape: [2, 2] rule {solver: SOLVER_DUAL_ASCENT dual_ascent {tolerance: -1}} | rule.dual_ascent.tolerance: -1.0 (
          shape: [2, 2] norm: NORM_FROBENIUS rule {solver: SOLVER_EXACT} | rule.solver: exact (expected: only with stiefel with spectral)
          shape: [2, 2] norm: NORM_FROBENIUS rule {msign_steps: 8} | rule.msign_steps: 8 (expected: only with the norm spectral)
          shape: [2] rule {precision: PRECISION_FLOAT16} | rule.precision: float16 (expected: only with the norm spectral)
          shape: [2] manifold: MANIFOLD_EUCLIDEAN rule {momentum: 0.5} | rule.momentum: 0.5 (expected: only with norms other than adamw)
          shape: [2] manifold: MANIFOLD_EUCLIDEAN rule {nesterov: true} | rule.nesterov: true (expected: only
          shape: [2] manifold: MANIFOLD_EUCLIDEAN rule {weight_decay: inf} | rule.weight_decay: Infinity (expected: a finite
          shape: [2] manifold: MANIFOLD_EUCLIDEAN rule {adamw {beta1: 1}} | rule.adamw.beta1: 1.0 (expected: a number in [0, 1))
          shape: [2] manifold: MANIFOLD_EUCLIDEAN rule {adamw {beta2: -1}} | rule.adamw.beta2: -1.0 (
          shape: [2] manifold: MANIFOLD_EUCLIDEAN rule {adamw {epsilon: 1e-60}} | rule.adamw.epsilon: 1.0E-60 (
          shape: [8] ranges {name: 'a' rows: 8}   | shape: (8) (expected: 2 or more dimensions with ranges)
          shape: [8, 2] ranges {name: 'a' rows: 7} | ranges: 7 rows (expected: as many as the parameter has: 8)
          shape: [8, 2] ranges {name: 'a' rows: 7} ranges {name: 'b' rows: 2} | ranges[1].rows: 2 (expected: at most the 1 left)
          shape: [8, 2] ranges {name: 'a' rows: 7} ranges {name: 'a' rows: 1} | ranges[1].name: "a" (expected: distinct names)
          shape: [8, 2] ranges {name: 'a' rows: 0} | ranges[0].rows: 0 (expected: >= 1)
          shape: [8, 2] ranges {name: 'a[' rows: 8} | ranges[0].name: "a[" (expected: 1 to 128 printable ASCII
          shape: [8, 2] ranges {name: 'a' rows: 8 heads: 3} | ranges[0].heads: 3 (expected: a divisor of the 8 rows)
          shape: [8, 2, 2] ranges {name: 'a' rows: 8 view: VIEW_KERNEL_POSITIONS} | ranges[0].view: kernel-positions (expected: last-two or flattened in a range)
          shape: [8, 2] ranges {name: 'a' rows: 8 rule {momentum: 2}} | ranges[0].rule.momentum: 2.0 (expected
          shape: [8, 2] radius: 2 ranges {name: 'a' rows: 8} | radius: given (expected: nothing beside ranges, which say it themselves)
          """)
  void faultsNameFieldValueAndExpectation(String declared, String message) throws Exception {
    Parameter parameter = parameter(declared);
    assertThatThrownBy(() -> ParameterChecks.complete(parameter))
        .isInstanceOf(FieldException.class)
        .hasMessageStartingWith(message);
  }

  @Test
  void longGroupsAreRefused() throws Exception {
    Parameter parameter = parameter("group: '" + "g".repeat(129) + "'");
    assertThatThrownBy(() -> ParameterChecks.complete(parameter))
        .hasMessageStartingWith("group: \"ggg")
        .hasMessageEndingWith("(expected: at most 128 characters)");
  }

  private static Parameter parameter(String text) throws TextFormat.ParseException {
    Parameter parsed = TextFormat.parse(text, Parameter.class);
    return parsed.getName().isEmpty() ? parsed.toBuilder().setName("w").build() : parsed;
  }
}
