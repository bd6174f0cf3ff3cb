package io.muond.server.optimizer;

import io.muond.server.engine.Scalars;

/**
 * The numbers of a batch's report, quantity by quantity, one number of each per matrix. A quantity
 * that was not asked for has none.
 */
final class Numbers {
  /** ⟨G, A⟩; what a step takes for G's largest element; ‖W_new − W‖. */
  private static final int BASIC = 3;

  private final int count;
  private final boolean asked;
  private final int residuals;

  /**
   * @param residuals how many of them can be off at all, where they are asked for: 1 is the
   *     manifold's, 2 are both
   */
  Numbers(int count, ReportDetail detail, int residuals) {
    this.count = count;
    asked = detail.compareTo(ReportDetail.RESIDUALS) >= 0;
    this.residuals = asked ? residuals : 0;
  }

  int total() {
    return Math.multiplyExact(count, BASIC + residuals);
  }

  boolean areResidualsAsked() {
    return asked;
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
        residuals > 0 ? quantity(all, 3, from, length) : null,
        residuals > 1 ? quantity(all, 4, from, length) : null);
  }

  /** Where a part's numbers go; the last two are null where there are no such residuals. */
  record Part(
      Scalars objective, Scalars scale, Scalars moved, Scalars orthogonality, Scalars tangency) {}

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
    return residuals > 1 ? numbers[4 * count + k] : cannotBeOff();
  }

  double orthogonality(double[] numbers, int k) {
    return residuals > 0 ? numbers[3 * count + k] : cannotBeOff();
  }

  /** A residual for which there is no number. */
  private double cannotBeOff() {
    return asked ? 0 : Double.NaN;
  }
}
