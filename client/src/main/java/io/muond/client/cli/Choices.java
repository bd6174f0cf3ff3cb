package io.muond.client.cli;

import com.google.protobuf.ProtocolMessageEnum;
import io.muond.manifold.Words;
import io.muond.v1.Initial;
import io.muond.v1.Manifold;
import io.muond.v1.Norm;
import io.muond.v1.Precision;
import io.muond.v1.Solver;
import io.muond.v1.View;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The words that an option takes, and what they mean.
 *
 * @param option the option's name
 * @param values the meaning of each word, in the order in which they are told
 */
record Choices<T extends Enum<T>>(String option, Map<String, T> values) {
  static final Choices<Solver> SOLVER =
      of(
          "--solver",
          Solver.SOLVER_EXACT,
          Solver.SOLVER_PROJECTED,
          Solver.SOLVER_DUAL_ASCENT,
          Solver.SOLVER_ADMM);

  static final Choices<Precision> PRECISION =
      of(
          "--precision",
          Precision.PRECISION_FLOAT32,
          Precision.PRECISION_TF32,
          Precision.PRECISION_FLOAT16,
          Precision.PRECISION_BFLOAT16);

  static final Choices<Manifold> MANIFOLD =
      of(
          "--manifold",
          Manifold.MANIFOLD_STIEFEL,
          Manifold.MANIFOLD_SPHERE,
          Manifold.MANIFOLD_OBLIQUE,
          Manifold.MANIFOLD_CENTERED_OBLIQUE,
          Manifold.MANIFOLD_SPECTRAL_BALL,
          Manifold.MANIFOLD_EUCLIDEAN);

  static final Choices<Norm> NORM =
      of(
          "--norm",
          Norm.NORM_SPECTRAL,
          Norm.NORM_FROBENIUS,
          Norm.NORM_LARGEST_ROW,
          Norm.NORM_LARGEST_COLUMN,
          Norm.NORM_LARGEST_ENTRY,
          Norm.NORM_ADAMW);

  static final Choices<View> VIEW =
      of("--view", View.VIEW_LAST_TWO, View.VIEW_FLATTENED, View.VIEW_KERNEL_POSITIONS);

  /** No option takes them: trees say them. */
  static final Choices<Initial> INITIAL =
      of("initial", Initial.INITIAL_ZERO, Initial.INITIAL_ONE, Initial.INITIAL_GAUSSIAN);

  @SafeVarargs
  private static <T extends Enum<T> & ProtocolMessageEnum> Choices<T> of(
      String option, T... constants) {
    Map<String, T> values = new LinkedHashMap<>();
    for (T constant : constants) {
      values.put(Words.of(constant), constant);
    }
    return new Choices<>(option, values);
  }

  /**
   * What a word means.
   *
   * @throws IllegalArgumentException if it is none of the choices
   */
  T parse(String word) {
    return parse(option, word);
  }

  /** As {@link #parse(String)}, of another option that takes the same words. */
  T parse(String told, String word) {
    T value = values.get(word);
    if (value == null) {
      throw new IllegalArgumentException(
          "%s: %s (expected one of %s)".formatted(told, word, String.join(", ", values.keySet())));
    }
    return value;
  }

  /** The word for a value that may mean nothing for a parameter: null then. */
  String nameOrNull(T value) {
    return values.containsValue(value) ? name(value) : null;
  }

  /** The word for a value; the constant's name where there is none. */
  String name(T value) {
    return values.entrySet().stream()
        .filter(entry -> entry.getValue() == value)
        .map(Map.Entry::getKey)
        .findFirst()
        .orElse(value.name());
  }
}
