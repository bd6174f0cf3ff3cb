package io.muond.modular;

import io.muond.manifold.Matrices;
import io.muond.manifold.Pair;
import io.muond.manifold.ParameterChecks;
import io.muond.v1.Manifold;
import io.muond.v1.Norm;
import io.muond.v1.Parameter;
import io.muond.v1.RowRange;
import io.muond.v1.View;
import java.util.List;

/**
 * By how much an atom's output moves at most when its input moves by 1, both measured by root mean
 * squares (RMS), whatever the weight is on its manifold. Infinite if the manifold bounds nothing.
 *
 * <p>A matrix W of (out, in) multiplies Euclidean norms by at most its largest singular value
 * ||W||, and root mean squares by ||W|| sqrt(in / out), since the RMS of n numbers is their norm
 * divided by sqrt(n). ||W|| is at most ||W||_F, which every manifold but the Euclidean fixes or
 * bounds.
 */
final class NormBounds {
  /** x + b moves as x does, whatever b is. */
  static final double BIAS = 1;

  private NormBounds() {}

  /**
   * Of W x.
   *
   * @param parameter complete, of shape (out, in), (heads, out / heads, in), or with ranges
   */
  static double linear(Parameter parameter, double out, double in) {
    if (parameter.getRangesCount() == 0) {
      return map(parameter, out, in, 1, rowBlocks(parameter));
    }
    // The squares of the outputs' norms add up: with range i of b_i, the output's mean square is
    // sum_i b_i^2 rows_i / out at most.
    double sum = 0;
    for (RowRange range : parameter.getRangesList()) {
      Parameter part = ParameterChecks.tensor(range, parameter.getShapeList());
      double bound = map(part, (double) range.getRows(), in, 1, rowBlocks(part));
      sum += bound * bound * (double) range.getRows();
    }
    return Math.sqrt(sum / out);
  }

  private static boolean rowBlocks(Parameter parameter) {
    return parameter.getShapeCount() == 2 || parameter.getView() == View.VIEW_LAST_TWO;
  }

  /**
   * Of y_p = sum_k W_k x_{p + k} over K kernel positions k, with stride 1 and at least as many
   * positions p that go out as come in ("same" padding): by the triangle inequality sum_k ||W_k||,
   * and, W being all W_k side by side, ||W|| sqrt(K), because each x is in the patches of at most K
   * positions.
   *
   * @param parameter complete, of shape (out, in, kernel...)
   */
  static double convolution(Parameter parameter) {
    List<Long> shape = parameter.getShapeList();
    double positions =
        shape.stream().skip(2).mapToDouble(Long::doubleValue).reduce(1, (a, b) -> a * b);
    boolean natural = parameter.getView() != View.VIEW_LAST_TWO;
    return map(
        parameter, shape.get(0).doubleValue(), shape.get(1).doubleValue(), positions, natural);
  }

  /**
   * Of a linear map with so many kernel positions.
   *
   * @param natural whether the matrices that the manifold sees are W, blocks of its rows, or its
   *     kernel positions. Then the default radius r makes the bound 1, and the bound is in
   *     proportion to the radius: (out, in): r sqrt(in / out); h heads one below the other, whose
   *     squares add up: sqrt(h) r sqrt(in / out); a convolution, flattened: sqrt(K) r sqrt(in /
   *     out); by positions: K r sqrt(in / out).
   */
  private static double map(
      Parameter parameter, double out, double in, double positions, boolean natural) {
    Pair pair = pair(parameter);
    Matrices matrices = matrices(parameter);
    boolean spectral =
        parameter.getManifold() == Manifold.MANIFOLD_STIEFEL
            || parameter.getManifold() == Manifold.MANIFOLD_SPECTRAL_BALL;
    return spectral && natural
        ? parameter.getRadius() / pair.defaultRadius(parameter.getView(), matrices)
        : frobenius(parameter, pair, matrices) * Math.sqrt(positions * in / out);
  }

  /**
   * Of a table's vectors, the largest RMS: a row's norm is at most the largest singular value, the
   * norm of all, the norm of the largest row, or sqrt(columns) times that of the largest column.
   *
   * @param parameter complete, of shape (rows, columns)
   */
  static double embed(Parameter parameter) {
    if (parameter.getManifold() == Manifold.MANIFOLD_EUCLIDEAN) {
      return Double.POSITIVE_INFINITY;
    }
    return parameter.getNorm() == Norm.NORM_LARGEST_COLUMN
        ? parameter.getRadius()
        : parameter.getRadius() / Math.sqrt((double) parameter.getShape(1));
  }

  /**
   * Of g x element by element: the largest |g_i|, at most the norm of g.
   *
   * @param parameter complete, of shape (size)
   */
  static double gain(Parameter parameter) {
    return frobenius(parameter, pair(parameter), matrices(parameter));
  }

  /**
   * The root mean square of b in x + b.
   *
   * @param parameter complete, of shape (size)
   */
  static double bias(Parameter parameter) {
    double norm = frobenius(parameter, pair(parameter), matrices(parameter));
    return norm / Math.sqrt((double) parameter.getShape(0));
  }

  private static double frobenius(Parameter parameter, Pair pair, Matrices matrices) {
    double r = parameter.getRadius();
    double all = matrices.count();
    return switch (pair) {
      case SPHERE_FROBENIUS -> r;
      case OBLIQUE_LARGEST_ROW, CENTERED_OBLIQUE_LARGEST_ROW ->
          r * Math.sqrt(all * matrices.rows());
      case OBLIQUE_LARGEST_COLUMN -> r * Math.sqrt(all * matrices.columns());
      case STIEFEL_SPECTRAL, STIEFEL_FROBENIUS, SPECTRAL_BALL_SPECTRAL ->
          r * Math.sqrt(all * Math.min(matrices.rows(), matrices.columns()));
      case EUCLIDEAN_ADAMW, EUCLIDEAN_SPECTRAL, EUCLIDEAN_FROBENIUS, EUCLIDEAN_LARGEST_ENTRY ->
          Double.POSITIVE_INFINITY;
    };
  }

  private static Pair pair(Parameter parameter) {
    return Pair.of(parameter.getManifold(), parameter.getNorm()).orElseThrow();
  }

  private static Matrices matrices(Parameter parameter) {
    return Matrices.of(pair(parameter), parameter.getView(), parameter.getShapeList());
  }
}
