package io.muond.client.cli;

import com.google.gson.JsonArray;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * The weights of one measurement, stepped together: {@code MxN}, a batch of matrices {@code BxMxN},
 * or several of these joined by {@code +}, like the layers of a network.
 *
 * @param text as it was given
 * @param parameters a shape each, of two or three dimensions
 */
record BenchShape(String text, List<List<Long>> parameters) {
  private static final Pattern PARAMETER =
      Pattern.compile("[1-9][0-9]{0,8}(x[1-9][0-9]{0,8}){1,2}");

  /**
   * Reads one.
   *
   * @throws IllegalArgumentException if it is something else
   */
  static BenchShape parse(String text) {
    List<List<Long>> parameters = new ArrayList<>();
    for (String parameter : text.split("\\+", -1)) {
      if (!PARAMETER.matcher(parameter).matches()) {
        throw new IllegalArgumentException(
            "--shapes: %s (expected: MxN or BxMxN, or several of them joined by +)"
                .formatted(text));
      }
      parameters.add(List.of(parameter.split("x", -1)).stream().map(Long::valueOf).toList());
    }
    return new BenchShape(text, List.copyOf(parameters));
  }

  /** Whether it is matrices of one size, m = n. */
  boolean isSquare() {
    List<Long> matrix = matrix(0);
    return parameters.size() == 1 && matrix.get(0).equals(matrix.get(1));
  }

  /** (m, n) of a parameter's matrices. */
  List<Long> matrix(int parameter) {
    List<Long> shape = parameters.get(parameter);
    return shape.subList(shape.size() - 2, shape.size());
  }

  String name(int parameter) {
    return "w" + parameter;
  }

  JsonArray json() {
    JsonArray shapes = new JsonArray();
    parameters.forEach(shape -> shapes.add(Json.numbers(shape)));
    return shapes;
  }
}
