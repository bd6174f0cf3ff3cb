package io.muond.server.optimizer;

import static java.util.Objects.requireNonNull;

import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;

/**
 * A batch of equal matrices that are stepped together: {@code count} row-major matrices of {@code
 * rows} × {@code columns} one after the other, as users see them (wide ones included). A vector or
 * a tensor on a sphere is one row.
 *
 * @param radius the manifold's radius, finite and positive; without a constraint, the unit of steps
 * @param start what weights without a constraint begin as; of no meaning otherwise
 */
public record BatchSpec(
    ManifoldKind manifold,
    NormKind norm,
    int count,
    long rows,
    long columns,
    double radius,
    Rule rule,
    Start start) {

  public BatchSpec {
    requireNonNull(manifold, "manifold is null");
    requireNonNull(norm, "norm is null");
    requireNonNull(rule, "rule is null");
    requireNonNull(start, "start is null");
  }

  /** A batch on a manifold, in the manifold's own norm. */
  public BatchSpec(
      ManifoldKind manifold, int count, long rows, long columns, double radius, Rule rule) {
    this(manifold, ownNorm(manifold), count, rows, columns, radius, rule, Start.GAUSSIAN);
  }

  /** A manifold's own norm. */
  static NormKind ownNorm(ManifoldKind manifold) {
    return switch (manifold) {
      case STIEFEL, SPECTRAL_BALL -> NormKind.SPECTRAL;
      case OBLIQUE, CENTERED_OBLIQUE -> NormKind.LARGEST_ROW;
      case EUCLIDEAN -> NormKind.ADAMW;
    };
  }

  /** The same with another number of matrices. */
  public BatchSpec withCount(int matrices) {
    return new BatchSpec(manifold, norm, matrices, rows, columns, radius, rule, start);
  }

  /** Whether steps keep a first moment. */
  public boolean hasMomentum() {
    return !rule.frozen() && (rule.momentum() != 0 || norm == NormKind.ADAMW);
  }

  /** Whether steps keep a second moment. */
  public boolean hasSecondMoment() {
    return !rule.frozen() && norm == NormKind.ADAMW;
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
