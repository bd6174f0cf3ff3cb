package io.muond.client;

import static java.util.Objects.requireNonNull;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Weights as of one committed step. Equal incarnation and step mean equal bits.
 *
 * @param incarnation the model's incarnation
 * @param step the step
 * @param tensors the weights by parameter
 */
public record Weights(String incarnation, long step, Map<String, Tensor> tensors) {
  public Weights {
    requireNonNull(incarnation, "incarnation is null");
    tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
  }
}
