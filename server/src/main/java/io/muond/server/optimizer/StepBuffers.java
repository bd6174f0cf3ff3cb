package io.muond.server.optimizer;

import io.muond.server.engine.Region;

/**
 * Where a batch's numbers are, each region {@code count × rows × columns} elements.
 *
 * @param weights W, read only
 * @param next where the new weights go
 * @param gradient G; with momentum it is overwritten by the new momentum M = beta M + G, so that a
 *     commit is the exchange of {@code gradient} and {@code momentum}, of {@code weights} and
 *     {@code next}, and of the second moments
 * @param momentum the old M, read only; null without momentum
 * @param secondMoment the old V, read only; null without a second moment
 * @param nextSecondMoment where the new V goes; null without a second moment
 */
public record StepBuffers(
    Region weights,
    Region next,
    Region gradient,
    Region momentum,
    Region secondMoment,
    Region nextSecondMoment) {

  /** Without a second moment. */
  public StepBuffers(Region weights, Region next, Region gradient, Region momentum) {
    this(weights, next, gradient, momentum, null, null);
  }
}
