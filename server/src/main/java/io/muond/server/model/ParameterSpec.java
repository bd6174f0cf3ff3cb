package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.v1.Parameter;
import java.util.List;

/**
 * One parameter with every default filled in.
 *
 * @param index place in the order of declaration
 * @param declaration as it is told to clients
 * @param pieces what the optimizer sees of it, in ascending offsets that leave nothing out
 */
record ParameterSpec(int index, Parameter declaration, List<Piece> pieces) {
  ParameterSpec {
    requireNonNull(declaration, "declaration is null");
    pieces = List.copyOf(pieces);
  }

  String name() {
    return declaration.getName();
  }

  List<Long> shape() {
    return declaration.getShapeList();
  }

  /** Elements of the whole tensor. */
  long floats() {
    return pieces.stream().mapToLong(Piece::floats).sum();
  }

  /** Whether nothing of it moves, so that it takes no gradients. */
  boolean isFrozen() {
    return pieces.stream().allMatch(Piece::isFrozen);
  }
}
