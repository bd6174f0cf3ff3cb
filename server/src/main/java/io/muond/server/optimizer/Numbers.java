package io.muond.server.optimizer;

import io.muond.server.engine.Scalars;

/**
 * The numbers of a batch's report, quantity by quantity, one number of each per matrix. A quantity
 * that was not asked for has none.
 */
final class Numbers {
  /** ⟨G, A⟩; what a step takes for G's largest element; ‖W_new − W‖. */
  private static final int BASIC = 3;

  /** The residuals of tangency and of the manifold. */
  private static final int RESIDUALS = 2;

  private final int count;
  private final boolean residuals;

  Numbers(int count, ReportDetail detail) {
    this.count = count;
    residuals = detail.compareTo(ReportDetail.RESIDUALS) >= 0;
  }

  int total() {
    return Math.multiplyExact(count, residuals ? BASIC + RESIDUALS : BASIC);
  }

  boolean residuals() {
    return residuals;
  }

  private Scalars quantity(Scalars all, int index, int from, int length) {
    return all.slice(index * count + from, length);
  }

  /** Of matrices [from, from + length). */
  Part part(Scalars all, int from, int length) {
    return new Part(
        quantity(all, 0, from, length),
        quantity(all, 1, from, length),
        quantity(all, 2, from, length),
        residuals ? quantity(all, 3, from, length) : null,
        residuals ? quantity(all, 4, from, length) : null);
  }

  /** Where a part's numbers go; the last two are null without residuals. */
  record Part(
      Scalars objective, Scalars scale, Scalars moved, Scalars tangency, Scalars orthogonality) {}

  double objective(double[] numbers, int k) {
    return numbers[k];
  }

  double scale(double[] numbers, int k) {
    return numbers[count + k];
  }

  double moved(double[] numbers, int k) {
    return numbers[2 * count + k];
  }

  double tangency(double[] numbers, int k) {
    return residuals ? numbers[3 * count + k] : Double.NaN;
  }

  double orthogonality(double[] numbers, int k) {
    return residuals ? numbers[4 * count + k] : Double.NaN;
  }
}
