package io.muond.client.cli;

import io.muond.client.TensorData;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** Checks that the tensors of a file are those of something else. */
final class Matching {
  private Matching() {}

  /**
   * Refuses gradients whose names or shapes are not the weights'.
   *
   * @throws IllegalArgumentException naming file, tensor and expectation
   */
  static void require(TensorFile weights, TensorFile gradients) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    weights.tensors().forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    require(gradients, shapes, weights.path().toString());
  }

  /**
   * Refuses weights whose names or shapes are not those of a model's parameters.
   *
   * @throws IllegalArgumentException naming file, tensor and expectation
   */
  static void require(Model model, TensorFile weights) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (Parameter parameter : model.getParametersList()) {
      shapes.put(
          parameter.getName(), parameter.getShapeList().stream().mapToLong(size -> size).toArray());
    }
    require(weights, shapes, "model \"" + model.getName() + '"');
  }

  private static void require(TensorFile file, Map<String, long[]> shapes, String owner) {
    shapes.forEach(
        (name, shape) -> {
          TensorData tensor = file.tensors().get(name);
          if (tensor == null) {
            throw new IllegalArgumentException(
                "%s: no tensor \"%s\" (expected: one, as %s has it)"
                    .formatted(file.path(), name, owner));
          }
          if (!Arrays.equals(tensor.shape(), shape)) {
            throw new IllegalArgumentException(
                "%s: tensor \"%s\": shape %s (expected: %s, as %s has it)"
                    .formatted(
                        file.path(),
                        name,
                        Arrays.toString(tensor.shape()),
                        Arrays.toString(shape),
                        owner));
          }
        });
    for (String name : file.tensors().keySet()) {
      if (!shapes.containsKey(name)) {
        throw new IllegalArgumentException(
            "%s: unknown tensor \"%s\" (expected: only tensors that %s has)"
                .formatted(file.path(), name, owner));
      }
    }
  }
}
