package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.manifold.Pair;
import io.muond.server.engine.Dealing;
import io.muond.server.optimizer.BatchSpec;
import java.util.List;

/**
 * What the optimizer sees of a parameter: all of it, or a range of its rows. Its elements follow
 * each other in the parameter.
 *
 * @param index place among all pieces of the model, in the order of declaration
 * @param parameter the parameter's name
 * @param name as reports have it
 * @param ruleField where its rule stands in the request that made the model, for errors
 * @param offset of its first element in the parameter
 * @param pair the manifold and the norm that were declared, of which the device may know less
 * @param spec its matrices, as a batch of their own
 * @param dealing how its elements lie on the device
 * @param group whose learning rate applies
 * @param multiplier of the learning rate
 */
record Piece(
    int index,
    String parameter,
    String name,
    String ruleField,
    List<Long> shape,
    long offset,
    Pair pair,
    BatchSpec spec,
    Dealing dealing,
    String group,
    double multiplier) {

  Piece {
    requireNonNull(parameter, "parameter is null");
    requireNonNull(name, "name is null");
    requireNonNull(pair, "pair is null");
    requireNonNull(spec, "spec is null");
    requireNonNull(dealing, "dealing is null");
    requireNonNull(group, "group is null");
    shape = List.copyOf(shape);
  }

  int matrices() {
    return spec.count();
  }

  long floats() {
    return spec.floats();
  }

  /** Whether nothing of it moves. */
  boolean isFrozen() {
    return spec.rule().frozen();
  }

  /** The row-major index in the parameter of an element of one of its matrices on the device. */
  long index(int matrix, long element) {
    return offset + dealing.element(matrix * spec.matrixFloats() + element);
  }
}
