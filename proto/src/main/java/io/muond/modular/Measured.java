package io.muond.modular;

import io.muond.v1.Module;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A module of a valid tree with what its subtree adds up to.
 *
 * @param module what was measured; of a compound, the tree that it is short for
 * @param path where it is
 * @param totals what it adds up to
 * @param atom what it is, if it is an atom; else null
 * @param children its modules, in application order
 * @param carriers those of them that have atoms
 */
record Measured(
    Module module,
    TreePath path,
    Totals totals,
    Atom atom,
    List<Measured> children,
    List<Carrier> carriers) {

  /**
   * What adds up.
   *
   * @param mass the module's mass, as its parent sees it
   * @param sensitivity its sensitivity
   * @param atoms parameters in it, of fused weights each range, copies counted
   */
  record Totals(double mass, double sensitivity, long atoms) {}

  /**
   * A child with atoms.
   *
   * @param after the sensitivity of all that follows it inside its parent
   */
  record Carrier(Measured module, double after) {}

  static Measured atom(Module module, TreePath path, Atom atom) {
    Totals totals = new Totals(atom.mass(), 1, atom.pieces());
    return new Measured(module, path, totals, atom, List.of(), List.of());
  }

  static Measured bond(Module module, TreePath path, double sensitivity) {
    Totals totals = new Totals(0, sensitivity, 0);
    return new Measured(module, path, totals, null, List.of(), List.of());
  }

  /** One after the other: what follows a child multiplies what it hands on. */
  static Measured inSequence(Module module, TreePath path, Totals totals, List<Measured> children) {
    double[] after = new double[children.size()];
    double product = 1;
    for (int i = children.size() - 1; i >= 0; i--) {
      after[i] = product;
      product *= children.get(i).sensitivity();
    }
    return node(module, path, totals, children, after);
  }

  /** Any other module of modules. */
  static Measured of(Module module, TreePath path, Totals totals, List<Measured> children) {
    double[] after = new double[children.size()];
    Arrays.fill(after, 1);
    return node(module, path, totals, children, after);
  }

  private static Measured node(
      Module module, TreePath path, Totals totals, List<Measured> children, double[] after) {
    List<Carrier> carriers = new ArrayList<>();
    for (int i = 0; i < after.length; i++) {
      if (children.get(i).atoms() > 0) {
        carriers.add(new Carrier(children.get(i), after[i]));
      }
    }
    return new Measured(module, path, totals, null, children, carriers);
  }

  double mass() {
    return totals.mass();
  }

  double sensitivity() {
    return totals.sensitivity();
  }

  long atoms() {
    return totals.atoms();
  }

  /** The only child of a scale, a repeat or a mass. */
  Measured child() {
    return children.get(0);
  }
}
