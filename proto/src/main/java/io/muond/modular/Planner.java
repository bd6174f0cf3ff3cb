package io.muond.modular;

import static java.util.Objects.requireNonNull;

import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import io.muond.v1.PlannedAtom;
import java.util.IdentityHashMap;
import java.util.List;

/**
 * Applies the composition rules of {@code muond.v1.Module} to a tree, in double precision. All
 * methods check every rule and throw {@link ModuleException} for the first that is broken.
 */
public final class Planner {
  /**
   * Deepest tree, the root counted. Protobuf parsers allow 100 messages inside each other unless
   * told otherwise. A level takes two, and at the deepest the settings, their rule and its options
   * come on top: with this bound the limit that speaks is this one.
   */
  public static final int MAX_DEPTH = 48;

  /** Most modules in a tree, copies not counted: enough for the longest stack of layers. */
  public static final int MAX_MODULES = 300_000;

  /** Most atoms in a tree, copies by repeat counted, of fused weights each range. */
  public static final int MAX_ATOMS = 100_000;

  private Planner() {}

  /** All that there is to know of a tree. */
  public static PlannedTree read(Module module) {
    Measured root = Measurer.measure(requireNonNull(module, "module is null"));
    List<PlacedAtom> atoms = Distributor.distribute(root);
    // Copies share the text of their path.
    IdentityHashMap<TreePath, String> texts = new IdentityHashMap<>();
    return new PlannedTree(
        plan(root, atoms),
        atoms.stream().map(PlacedAtom::parameter).toList(),
        atoms.stream()
            .map(atom -> texts.computeIfAbsent(atom.atom().path(), TreePath::toString))
            .toList());
  }

  /** Masses, sensitivities, learning-rate multipliers and the bounds that the manifolds give. */
  public static Plan plan(Module module) {
    Measured root = Measurer.measure(requireNonNull(module, "module is null"));
    return plan(root, Distributor.distribute(root));
  }

  private static Plan plan(Measured root, List<PlacedAtom> atoms) {
    Plan.Builder plan = Plan.newBuilder().setMass(root.mass()).setSensitivity(root.sensitivity());
    for (PlacedAtom atom : atoms) {
      PlannedAtom.Builder planned =
          PlannedAtom.newBuilder()
              .setName(atom.name())
              .setMass(atom.mass())
              .setSensitivity(1)
              .setLearningRateMultiplier(atom.target());
      if (LipschitzBound.isBound(atom.atom().bound())) {
        planned.setNormBound(atom.atom().bound());
      }
      plan.addAtoms(planned);
    }
    LipschitzBound.Found found = LipschitzBound.of(root);
    found
        .fault()
        .ifPresentOrElse(
            plan::setNoLipschitzBoundBecause, () -> plan.setLipschitzBound(found.value()));
    return plan.build();
  }

  /**
   * The tree's parameters in application order, with every default but their rules' filled in and
   * learning-rate multipliers set.
   */
  public static List<Parameter> parameters(Module module) {
    return read(module).parameters();
  }
}
