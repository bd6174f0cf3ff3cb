package io.muond.modular;

import static java.util.Objects.requireNonNull;

import io.muond.v1.Embed;
import io.muond.v1.Linear;
import io.muond.v1.Manifold;
import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import io.muond.v1.PlannedAtom;
import java.util.ArrayList;
import java.util.List;

/**
 * Applies the composition rules of {@code muond.v1.Module} to a tree, in double precision. Both
 * methods check every rule and throw {@link ModuleException} for the first that is broken.
 */
public final class Planner {
  /**
   * Deepest tree, the root counted. Protobuf parsers allow 100 messages inside each other unless
   * told otherwise, and a level takes two: with this bound the limit that speaks is this one.
   */
  public static final int MAX_DEPTH = 50;

  /** Most atoms in a tree, copies by repeat counted. */
  public static final int MAX_ATOMS = 100_000;

  private Planner() {}

  /** Masses, sensitivities and learning-rate multipliers. */
  public static Plan plan(Module module) {
    Measured root = Measurer.measure(requireNonNull(module, "module is null"));
    Plan.Builder plan = Plan.newBuilder().setMass(root.mass()).setSensitivity(root.sensitivity());
    for (PlacedAtom atom : Distributor.distribute(root)) {
      plan.addAtoms(
          PlannedAtom.newBuilder()
              .setName(atom.name())
              .setMass(atom.mass())
              .setSensitivity(1)
              .setLearningRateMultiplier(atom.target()));
    }
    return plan.build();
  }

  /**
   * The tree's parameters in application order, with shape, manifold, radius and learning-rate
   * multiplier.
   */
  public static List<Parameter> parameters(Module module) {
    Measured root = Measurer.measure(requireNonNull(module, "module is null"));
    List<Parameter> parameters = new ArrayList<>();
    for (PlacedAtom atom : Distributor.distribute(root)) {
      Parameter.Builder parameter =
          atom.module().hasLinear()
              ? stiefel(atom.module().getLinear())
              : oblique(atom.module().getEmbed());
      parameters.add(
          parameter.setName(atom.name()).setLearningRateMultiplier(atom.target()).build());
    }
    return parameters;
  }

  private static Parameter.Builder stiefel(Linear linear) {
    return Parameter.newBuilder()
        .addShape(linear.getOut())
        .addShape(linear.getIn())
        .setManifold(Manifold.MANIFOLD_STIEFEL)
        .setRadius(Math.sqrt((double) linear.getOut() / linear.getIn()));
  }

  private static Parameter.Builder oblique(Embed embed) {
    return Parameter.newBuilder()
        .addShape(embed.getRows())
        .addShape(embed.getColumns())
        .setManifold(Manifold.MANIFOLD_OBLIQUE)
        .setRadius(Math.sqrt((double) embed.getColumns()));
  }
}
