package io.muond.client.cli;

import io.muond.manifold.ParameterChecks;
import io.muond.v1.Parameter;
import java.util.List;

/** What of a parameter has settings of its own: the ranges, where it has them. */
final class Pieces {
  private Pieces() {}

  /** Whether nothing of a parameter moves, so that it takes no gradients. */
  static boolean areFrozen(Parameter parameter) {
    return of(parameter).stream().allMatch(piece -> piece.getRule().getFrozen());
  }

  /** A parameter's ranges as parameters, called as reports call them; itself if it has none. */
  static List<Parameter> of(Parameter parameter) {
    if (parameter.getRangesCount() == 0) {
      return List.of(parameter);
    }
    return parameter.getRangesList().stream()
        .map(
            range ->
                ParameterChecks.tensor(range, parameter.getShapeList()).toBuilder()
                    .setName(ParameterChecks.pieceName(parameter.getName(), range))
                    .build())
        .toList();
  }
}
