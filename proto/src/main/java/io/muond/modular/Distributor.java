package io.muond.modular;

import io.muond.manifold.ParameterChecks;
import io.muond.manifold.Words;
import io.muond.v1.Parameter;
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
    switch (node.module().getKindCase()) {
      case SEQUENCE, TUPLE, SUM -> {
        for (Measured.Carrier carrier : node.carriers()) {
          Measured child = carrier.module();
          double share = share(target, child.mass(), node.mass());
          visit(child, divide(child, share, carrier.after()), rescale, suffix);
        }
      }
      case SCALE -> {
        double factor = Math.abs(node.module().getScale().getFactor());
        visit(node.child(), target / factor, rescale, suffix);
      }
      case REPEAT -> repeat(node, target, rescale, suffix);
      case MASS ->
          visit(node.child(), target, rescale * (node.mass() / node.child().mass()), suffix);
      default -> throw new IllegalStateException(node.module().getKindCase() + " has no atoms");
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
    Parameter parameter = node.atom().parameter();
    String name = Checks.name(at, parameter.getName() + suffix);
    requireNew(name, at);
    for (int i = 0; i < parameter.getRangesCount(); i++) {
      requireNew(ParameterChecks.pieceName(name, parameter.getRanges(i)), node.atom().rangePath(i));
    }
    double mass = node.mass() * rescale;
    if (!Double.isFinite(mass) || !Double.isFinite(target)) {
      throw new ModuleException(
          node.path(),
          "mass " + mass + ", learning-rate multiplier " + target + " (expected: finite numbers)");
    }
    atoms.add(new PlacedAtom(node.atom(), name, mass, target));
  }

  /** Reports call ranges by names of their own, which are nobody else's. */
  private void requireNew(String name, TreePath at) {
    TreePath before = names.putIfAbsent(name, at);
    if (before != null) {
      throw new ModuleException(
          at, Words.quote(name) + " is also the name at " + before + " (expected: distinct names)");
    }
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
