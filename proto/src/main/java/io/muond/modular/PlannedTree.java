package io.muond.modular;

import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import java.util.List;

/**
 * What the composition rules make of a tree.
 *
 * @param plan masses, sensitivities, learning-rate multipliers and the bounds that manifolds give
 * @param parameters in application order, with every default but their rules' filled in and
 *     learning-rate multipliers set
 * @param paths where in the tree each parameter stands, like {@code sequence[2].linear}
 */
public record PlannedTree(Plan plan, List<Parameter> parameters, List<String> paths) {
  /** Copies the lists. */
  public PlannedTree {
    parameters = List.copyOf(parameters);
    paths = List.copyOf(paths);
  }
}
