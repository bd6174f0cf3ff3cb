package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;

/** Heavy-ball momentum, with Nesterov's look-ahead if the rule asks for it. */
final class Momentum {
  private Momentum() {}

  /**
   * gradient ← M' = βM + G, and taken ← what the step takes for G: the gradient without momentum,
   * M' with it, G + βM' = (1 + β)M' − βM with Nesterov's.
   *
   * @param momentum M, or null
   */
  static void apply(
      Compute compute, Rule rule, Matrices gradient, Matrices momentum, Matrices taken) {
    if (momentum == null) {
      compute.copy(gradient, taken);
      return;
    }
    compute.combine(rule.momentum(), momentum, 1, gradient);
    if (rule.nesterov()) {
      compute.copy(momentum, taken);
      compute.combine(1 + rule.momentum(), gradient, -rule.momentum(), taken);
    } else {
      compute.copy(gradient, taken);
    }
  }
}
