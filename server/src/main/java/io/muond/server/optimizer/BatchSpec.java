package io.muond.server.optimizer;

import static java.util.Objects.requireNonNull;

import io.muond.server.manifold.ManifoldKind;

/**
 * A batch of equal matrices that are stepped together: {@code count} row-major matrices of {@code
 * rows} × {@code columns} one after the other, as users see them (wide ones included). A vector or
 * a tensor on a sphere is one row.
 *
 * @param radius the manifold's radius, finite and positive
 */
public record BatchSpec(
    ManifoldKind manifold, int count, long rows, long columns, double radius, Rule rule) {

  public BatchSpec {
    requireNonNull(manifold, "manifold is null");
    requireNonNull(rule, "rule is null");
  }

  /** Elements of one matrix. */
  public long matrixFloats() {
    return Math.multiplyExact(rows, columns);
  }

  /** Elements of the batch. */
  public long floats() {
    return Math.multiplyExact(count, matrixFloats());
  }
}
