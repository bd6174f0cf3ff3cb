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
}
