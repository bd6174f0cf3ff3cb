package io.muond.client.cli;

import io.muond.client.TensorData;
import java.util.Arrays;
import java.util.Map;

/** Checks that gradients are those of the weights. */
final class Matching {
  private Matching() {}

  /**
   * Refuses missing and unknown names and other shapes.
   *
   * @throws IllegalArgumentException naming file, tensor and expectation
   */
  static void require(TensorFile weights, TensorFile gradients) {
    Map<String, TensorData> found = gradients.tensors();
    weights
        .tensors()
        .forEach(
            (name, weight) -> {
              TensorData gradient = found.get(name);
              if (gradient == null) {
                throw new IllegalArgumentException(
                    "%s: no tensor \"%s\" (expected: one, as %s has it)"
                        .formatted(gradients.path(), name, weights.path()));
              }
              requireShape(gradients, name, gradient.shape(), weight.shape());
            });
    for (String name : found.keySet()) {
      if (!weights.tensors().containsKey(name)) {
        throw new IllegalArgumentException(
            "%s: unknown tensor \"%s\" (expected: only tensors that %s has)"
                .formatted(gradients.path(), name, weights.path()));
      }
    }
  }

  private static void requireShape(
      TensorFile gradients, String name, long[] shape, long[] expected) {
    if (!Arrays.equals(shape, expected)) {
      throw new IllegalArgumentException(
          "%s: tensor \"%s\": shape %s (expected: %s, as the weight's)"
              .formatted(
                  gradients.path(), name, Arrays.toString(shape), Arrays.toString(expected)));
    }
  }
}
