package io.muond.server.optimizer;

/**
 * AdamW's settings (arXiv 1711.05101).
 *
 * @param beta1 of the first moment, in [0, 1)
 * @param beta2 of the second moment, in [0, 1)
 * @param epsilon what is added to the root of the second moment, positive
 */
public record AdamW(double beta1, double beta2, double epsilon) {
  /** As published. */
  public static final AdamW DEFAULT = new AdamW(0.9, 0.999, 1e-8);

  /** Below 1 as a float32. */
  private static final double LARGEST = 1 - 0x1p-24;

  /**
   * The same with betas that are float32 numbers below 1, as the moments are computed with: from
   * these the corrections must be made. 1 − 0.999 is 1e-5 of itself away from what it is in
   * float32, and a correction that did not know would be off by as much.
   */
  public AdamW rounded() {
    return new AdamW(rounded(beta1), rounded(beta2), epsilon);
  }

  /** A decay that is a float32 number below 1. */
  static double rounded(double beta) {
    return Math.min((float) beta, LARGEST);
  }
}
