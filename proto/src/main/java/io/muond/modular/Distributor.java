package io.muond.modular;

import io.muond.manifold.Words;
import io.muond.v1.Module;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Goes down a measured tree: hands targets to the atoms and expands repeats. */
final class Distributor {
  private final List<PlacedAtom> atoms = new ArrayList<>();
  private final Map<String, TreePath> names = new HashMap<>();

  private Distributor() {}

  /** The atoms in application order. */
  static List<PlacedAtom> distribute(Measured root) {
    Distributor distributor = new Distributor();
    distributor.visit(root, root.mass() == 0 ? 0 : 1, 1, "");
    return distributor.atoms;
  }

  /**
   * @param target the module's target
   * @param rescale what the masses inside are multiplied by
   * @param suffix the repeat indices so far
   */
  private void visit(Measured node, double target, double rescale, String suffix) {
    if (node.atoms() == 0) {
      return;
    }
    if (node.atom() != null) {
      place(node, target, rescale, suffix);
      return;
    }
    Module module = node.module();
    switch (module.getKindCase()) {
      case SEQUENCE -> sequence(node, target, rescale, suffix);
      case TUPLE, SUM -> {
        for (Measured child : node.children()) {
          visit(child, share(target, child.mass(), node.mass()), rescale, suffix);
        }
      }
      case SCALE -> {
        double factor = Math.abs(module.getScale().getFactor());
        visit(node.child(), target / factor, rescale, suffix);
      }
      case REPEAT -> repeat(node, target, rescale, suffix);
      case MASS ->
          visit(node.child(), target, rescale * (node.mass() / node.child().mass()), suffix);
      default -> throw new IllegalStateException(module.getKindCase() + " has no atoms");
    }
  }

  /** M_i gets t (m_i / m), divided by the sensitivity of all that follows it. */
  private void sequence(Measured node, double target, double rescale, String suffix) {
    List<Measured> children = node.children();
    double[] after = new double[children.size()];
    double product = 1;
    for (int i = children.size() - 1; i >= 0; i--) {
      after[i] = product;
      product *= children.get(i).sensitivity();
    }
    for (int i = 0; i < children.size(); i++) {
      Measured child = children.get(i);
      double share = share(target, child.mass(), node.mass());
      visit(child, divide(child, share, after[i]), rescale, suffix);
    }
  }

  private void repeat(Measured node, double target, double rescale, String suffix) {
    long count = node.module().getRepeat().getCount();
    double share = share(target, 1, (double) count);
    for (long i = 0; i < count; i++) {
      double after = Math.pow(node.child().sensitivity(), (double) (count - 1 - i));
      visit(node.child(), divide(node, share, after), rescale, suffix + "." + i);
    }
  }

  private void place(Measured node, double target, double rescale, String suffix) {
    TreePath at = node.atom().namePath();
    String name = Checks.name(at, node.atom().parameter().getName() + suffix);
    TreePath before = names.putIfAbsent(name, at);
    if (before != null) {
      throw new ModuleException(
          at, Words.quote(name) + " is also the name at " + before + " (expected: distinct names)");
    }
    double mass = node.mass() * rescale;
    if (!Double.isFinite(mass) || !Double.isFinite(target)) {
      throw new ModuleException(
          node.path(),
          "mass " + mass + ", learning-rate multiplier " + target + " (expected: finite numbers)");
    }
    atoms.add(new PlacedAtom(node.atom(), name, mass, target));
  }

  private static double divide(Measured node, double share, double after) {
    if (!(after > 0) || Double.isInfinite(after)) {
      throw new ModuleException(
          node.path(), "followed by sensitivity " + after + " (expected: a finite number > 0)");
    }
    return share / after;
  }

  private static double share(double target, double mass, double total) {
    return mass == 0 ? 0 : target * (mass / total);
  }
}
