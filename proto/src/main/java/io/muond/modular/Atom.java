package io.muond.modular;

import io.muond.v1.Parameter;

/**
 * An atom as the tree declares it.
 *
 * @param path where it is
 * @param mass its mass before any rescaling
 * @param bound by how much its output moves at most when its input moves by 1, see {@link
 *     NormBounds}
 * @param parameter its parameter with all defaults, but for the multiplier and repeat indices
 */
record Atom(TreePath path, double mass, double bound, Parameter parameter) {
  TreePath namePath() {
    return path.field("name");
  }

  TreePath rangePath(int index) {
    return path.field("ranges", index).field("name");
  }

  /** What is stepped as a parameter of its own: the ranges of fused weights, else the whole. */
  int pieces() {
    return Math.max(1, parameter.getRangesCount());
  }
}
