package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;

/** Heavy-ball momentum, with Nesterov's look-ahead if the rule asks for it. */
final class Momentum {
  private Momentum() {}

  /**
   * gradient ← M' = βM + G.
   *
   * @param momentum M, or null
   * @param spare takes the look-ahead, if there is one
   * @return what the step takes for G: the gradient without momentum, M' with it, G + βM' with
   *     Nesterov's
   */
  static Matrices apply(
      Compute compute, Rule rule, Matrices gradient, Matrices momentum, Matrices spare) {
    if (momentum == null) {
      return gradient;
    }
    compute.momentum(rule.momentum(), rule.nesterov(), momentum, gradient, spare);
    return rule.nesterov() ? spare : gradient;
  }

  /** What {@link #apply} returned, made again of M and the M' that it left. */
  static Matrices again(
      Compute compute, Rule rule, Matrices gradient, Matrices momentum, Matrices spare) {
    if (momentum == null || !rule.nesterov()) {
      return gradient;
    }
    compute.copy(momentum, spare);
    compute.combine(1 + rule.momentum(), gradient, -rule.momentum(), spare);
    return spare;
  }
}
