package io.muond.server.model;

/**
 * What the device still holds of the last step beside the weights: the weights before it, and what
 * it took for the gradient. Guarded by the model's lock.
 */
final class LastStepTrace {
  private boolean stepped;
  private boolean gradients;

  /**
   * A step was committed: the spare buffers hold what it began with.
   *
   * @param kept whether the first gradient slot still is that step's
   */
  void stepped(boolean kept) {
    stepped = true;
    gradients = kept;
  }

  /** The spare weights are being overwritten, or are none of the last step's. */
  void lost() {
    stepped = false;
    gradients = false;
  }

  /** The first gradient slot is being overwritten. */
  void gradientsLost() {
    gradients = false;
  }

  /** Whether the spare weights are those before the last step. */
  boolean hasStep() {
    return stepped;
  }

  /** Whether the first gradient slot is as the last step left it. */
  boolean hasGradients() {
    return gradients;
  }
}
