package io.muond.manifold;

import io.muond.v1.Manifold;
import io.muond.v1.View;
import java.util.List;

/**
 * A tensor as equal matrices.
 *
 * @param count how many
 * @param rows of each
 * @param columns of each
 */
public record Matrices(long count, long rows, long columns) {

  /** The view of a tensor of which none is said. */
  public static View defaultView(int dimensions) {
    return dimensions <= 3 ? View.VIEW_LAST_TWO : View.VIEW_FLATTENED;
  }

  /** Fewest dimensions that a tensor must have to be seen so. */
  public static int leastDimensions(View view) {
    return view == View.VIEW_KERNEL_POSITIONS ? 3 : 2;
  }

  /**
   * What a tensor is to a pair: matrices by its view where the pair sees it as matrices; on the
   * sphere one row; else one of (first dimension, product of the others), of a vector or a scalar
   * one row.
   *
   * @param view a specified one; of no meaning where the pair does not see matrices
   * @param shape of at least {@link #leastDimensions} where it does
   * @throws ArithmeticException if the number of elements passes 64 bits
   */
  public static Matrices of(Pair pair, View view, List<Long> shape) {
    int last = shape.size() - 1;
    if (pair.seesMatrices(shape.size())) {
      return switch (view) {
        case VIEW_LAST_TWO ->
            new Matrices(product(shape, 0, last - 1), shape.get(last - 1), shape.get(last));
        case VIEW_FLATTENED -> new Matrices(1, shape.get(0), product(shape, 1, shape.size()));
        case VIEW_KERNEL_POSITIONS ->
            new Matrices(product(shape, 2, shape.size()), shape.get(0), shape.get(1));
        default -> throw new IllegalArgumentException(view + " (expected: a specified view)");
      };
    }
    if (pair.manifold() == Manifold.MANIFOLD_SPHERE || shape.size() < 2) {
      return new Matrices(1, 1, product(shape, 0, shape.size()));
    }
    return new Matrices(1, shape.get(0), product(shape, 1, shape.size()));
  }

  private static long product(List<Long> shape, int from, int to) {
    return shape.subList(from, to).stream().reduce(1L, Math::multiplyExact);
  }
}
