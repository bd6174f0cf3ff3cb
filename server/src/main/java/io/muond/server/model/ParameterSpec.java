package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.manifold.ManifoldKind;
import io.muond.server.optimizer.Rule;
import io.muond.v1.Parameter;
import java.util.List;

/**
 * One parameter with every default filled in, as the optimizer sees it: {@code matrices} matrices
 * of {@code rows} × {@code columns}.
 *
 * @param index place in the order of declaration
 * @param declaration as it is told to clients
 */
record ParameterSpec(
    int index,
    Parameter declaration,
    ManifoldKind manifold,
    int matrices,
    long rows,
    long columns,
    Rule rule) {

  ParameterSpec {
    requireNonNull(declaration, "declaration is null");
    requireNonNull(manifold, "manifold is null");
    requireNonNull(rule, "rule is null");
  }

  String name() {
    return declaration.getName();
  }

  List<Long> shape() {
    return declaration.getShapeList();
  }

  double radius() {
    return declaration.getRadius();
  }

  /** Elements of the whole tensor. */
  long floats() {
    return matrices * rows * columns;
  }
}
