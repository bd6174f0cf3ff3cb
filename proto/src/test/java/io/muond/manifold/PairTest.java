package io.muond.manifold;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.muond.v1.Manifold;
import io.muond.v1.Norm;
import io.muond.v1.View;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PairTest {
  @ParameterizedTest
  @CsvSource({
    "MANIFOLD_STIEFEL, SPECTRAL FROBENIUS",
    "MANIFOLD_SPHERE, FROBENIUS",
    "MANIFOLD_OBLIQUE, LARGEST_ROW LARGEST_COLUMN",
    "MANIFOLD_CENTERED_OBLIQUE, LARGEST_ROW",
    "MANIFOLD_SPECTRAL_BALL, SPECTRAL",
    "MANIFOLD_EUCLIDEAN, ADAMW SPECTRAL FROBENIUS LARGEST_ENTRY",
    "MANIFOLD_UNSPECIFIED, ''",
    "UNRECOGNIZED, ''"
  })
  void everyManifoldHasItsNorms(Manifold manifold, String names) {
    List<Norm> norms =
        names.isEmpty()
            ? List.of()
            : Stream.of(names.split(" ")).map(name -> Norm.valueOf("NORM_" + name)).toList();
    assertThat(Pair.norms(manifold)).isEqualTo(norms);
    assertThat(Pair.of(manifold, Norm.NORM_UNSPECIFIED).map(Pair::norm))
        .isEqualTo(norms.stream().findFirst());
    Arrays.stream(Norm.values())
        .filter(norm -> norm != Norm.NORM_UNSPECIFIED)
        .forEach(
            norm ->
                assertThat(Pair.of(manifold, norm).isPresent()).isEqualTo(norms.contains(norm)));
  }

  @ParameterizedTest
  @CsvSource({
    "STIEFEL_SPECTRAL, LAST_TWO, 4 9, 1 4 9, 0.6666666666666666",
    "STIEFEL_FROBENIUS, LAST_TWO, 3 8 2, 3 8 2, 2",
    "STIEFEL_SPECTRAL, LAST_TWO, 5 3 8 2, 15 8 2, 2",
    "STIEFEL_SPECTRAL, FLATTENED, 27 4 3 1, 1 27 12, 1.5",
    "STIEFEL_SPECTRAL, KERNEL_POSITIONS, 16 4 3 5, 15 16 4, 0.13333333333333333",
    "SPECTRAL_BALL_SPECTRAL, KERNEL_POSITIONS, 16 4 2, 2 16 4, 1",
    "EUCLIDEAN_SPECTRAL, KERNEL_POSITIONS, 16 4 2, 2 16 4, 1",
    "SPHERE_FROBENIUS, UNSPECIFIED, 3 4 5, 1 1 60, 1",
    "SPHERE_FROBENIUS, UNSPECIFIED, '', 1 1 1, 1",
    "OBLIQUE_LARGEST_ROW, LAST_TWO, 3 4 25, 3 4 25, 5",
    "OBLIQUE_LARGEST_ROW, UNSPECIFIED, 25, 1 1 25, 5",
    "OBLIQUE_LARGEST_COLUMN, LAST_TWO, 2 16 3, 2 16 3, 4",
    "CENTERED_OBLIQUE_LARGEST_ROW, LAST_TWO, 3 49, 1 3 49, 7",
    "CENTERED_OBLIQUE_LARGEST_ROW, FLATTENED, 5 4 3 3, 1 5 36, 6",
    "EUCLIDEAN_ADAMW, UNSPECIFIED, 3 4 5, 1 3 20, 1",
    "EUCLIDEAN_LARGEST_ENTRY, UNSPECIFIED, 7, 1 1 7, 1"
  })
  void tensorsAreMatricesOfADefaultRadius(
      Pair pair, String viewName, String shape, String expected, double radius) {
    View view = View.valueOf("VIEW_" + viewName);
    List<Long> numbers = numbers(expected);
    Matrices matrices = Matrices.of(pair, view, numbers(shape));
    assertThat(matrices).isEqualTo(new Matrices(numbers.get(0), numbers.get(1), numbers.get(2)));
    assertThat(pair.defaultRadius(view, matrices)).isCloseTo(radius, within(1e-15));
  }

  @Test
  void moreElementsThanCanBeCountedAreRefused() {
    assertThatThrownBy(
            () ->
                Matrices.of(
                    Pair.SPHERE_FROBENIUS, View.VIEW_UNSPECIFIED, List.of(1L << 32, 1L << 32)))
        .isInstanceOf(ArithmeticException.class);
  }

  @Test
  void defaultsGoByTheShape() {
    assertThat(Pair.defaultManifold(1)).isEqualTo(Manifold.MANIFOLD_SPHERE);
    assertThat(Pair.defaultManifold(2)).isEqualTo(Manifold.MANIFOLD_STIEFEL);
    assertThat(Matrices.defaultView(3)).isEqualTo(View.VIEW_LAST_TWO);
    assertThat(Matrices.defaultView(4)).isEqualTo(View.VIEW_FLATTENED);
  }

  private static List<Long> numbers(String text) {
    return text.isEmpty() ? List.of() : Stream.of(text.split(" ")).map(Long::valueOf).toList();
  }
}
