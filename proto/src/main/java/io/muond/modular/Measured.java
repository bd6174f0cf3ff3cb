package io.muond.modular;

import io.muond.v1.Module;
import java.util.List;

/**
 * A module of a valid tree with what its subtree adds up to.
 *
 * @param module what was measured; of a compound, the tree that it is short for
 * @param path where it is
 * @param mass its mass, as its parent sees it
 * @param sensitivity its sensitivity
 * @param bound its sensitivity with the atoms' bounds in place of 1; infinite if there is none
 * @param atom what it is, if it is an atom; else null
 * @param atoms parameters in it, copies counted
 * @param children its modules, in application order
 */
record Measured(
    Module module,
    TreePath path,
    double mass,
    double sensitivity,
    double bound,
    Atom atom,
    long atoms,
    List<Measured> children) {

  /** The only child of a scale, a repeat or a mass. */
  Measured child() {
    return children.get(0);
  }
}
