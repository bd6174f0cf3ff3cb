package io.muond.client.cli;

import static java.util.stream.Collectors.joining;

import com.google.protobuf.ProtocolMessageEnum;
import io.muond.manifold.Words;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import io.muond.v1.PlannedAtom;
import io.muond.v1.RowRange;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** A plan for people. */
final class PlanTable {
  private PlanTable() {}

  /**
   * One line for each atom, and one for the whole.
   *
   * @param parameters complete, in the order of the plan's atoms
   */
  static String of(Plan plan, List<Parameter> parameters) {
    Table table =
        new Table(
            "atom",
            "shape",
            "manifold",
            "norm",
            "mass",
            "sensitivity",
            "learning rate multiplier",
            "norm bound");
    for (int i = 0; i < plan.getAtomsCount(); i++) {
      PlannedAtom atom = plan.getAtoms(i);
      Parameter parameter = parameters.get(i);
      table.row(
          atom.getName(),
          parameter.getShapeList(),
          manifolds(parameter),
          norms(parameter),
          atom.getMass(),
          atom.getSensitivity(),
          atom.getLearningRateMultiplier(),
          atom.hasNormBound() ? atom.getNormBound() : Double.NaN);
    }
    table.row("total", "", "", "", plan.getMass(), plan.getSensitivity(), "", "");
    return table
        + (plan.hasLipschitzBound()
            ? String.format(
                Locale.ROOT,
                "Lipschitz bound: %.4g, for inputs of root mean square at most 1\n",
                plan.getLipschitzBound())
            : "Lipschitz bound: none, because " + plan.getNoLipschitzBoundBecause() + "\n");
  }

  private static String manifolds(Parameter parameter) {
    return words(
        parameter.getRangesCount() == 0
            ? Stream.of(parameter.getManifold())
            : parameter.getRangesList().stream().map(RowRange::getManifold));
  }

  private static String norms(Parameter parameter) {
    return words(
        parameter.getRangesCount() == 0
            ? Stream.of(parameter.getNorm())
            : parameter.getRangesList().stream().map(RowRange::getNorm));
  }

  /** Of fused weights every manifold once. */
  private static String words(Stream<? extends ProtocolMessageEnum> constants) {
    return constants.map(Words::of).distinct().collect(joining("+"));
  }
}
