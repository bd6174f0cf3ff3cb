package io.muond.client.cli;

import io.muond.manifold.Matrices;
import io.muond.manifold.Pair;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.Rule;
import io.muond.v1.View;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Checks that a model which exists is what the command line asks for: its settings were fixed when
 * it was created, so that others would be ignored without a word.
 */
final class Agreement {
  private final Model model;

  Agreement(Model model) {
    this.model = model;
  }

  /**
   * Refuses settings that are not the model's.
   *
   * @param given the settings that were asked for, in the words of their options
   * @throws IllegalArgumentException naming option, word and the model's own
   */
  void requireSettings(Map<String, String> given) {
    model.getParametersList().stream()
        .flatMap(parameter -> Pieces.of(parameter).stream())
        .forEach(piece -> requireSettings(given, piece));
  }

  private void requireSettings(Map<String, String> given, Parameter parameter) {
    Map<String, String> own = settings(parameter);
    given.forEach(
        (option, word) -> {
          if (own.containsKey(option)
              && !meaning(option, word, parameter).equals(own.get(option))) {
            throw new IllegalArgumentException(
                "%s: %s (expected: %s, as model \"%s\" has it for tensor \"%s\")"
                    .formatted(
                        option, word, own.get(option), model.getName(), parameter.getName()));
          }
        });
  }

  private static String meaning(String option, String word, Parameter parameter) {
    return option.equals("--radius") && word.equals(ModelArguments.AUTO)
        ? String.valueOf(ownRadius(parameter))
        : word;
  }

  /** Those that mean something for one parameter, and those of the model as a whole. */
  private Map<String, String> settings(Parameter parameter) {
    Rule rule = parameter.getRule();
    Pair pair = pair(parameter);
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("--manifold", Choices.MANIFOLD.name(parameter.getManifold()));
    settings.put("--norm", Choices.NORM.name(pair.norm()));
    settings.put("--radius", String.valueOf(parameter.getRadius()));
    if (pair.seesMatrices(parameter.getShapeCount())) {
      settings.put("--view", Choices.VIEW.name(parameter.getView()));
    }
    if (pair.hasSolver()) {
      settings.put("--solver", Choices.SOLVER.name(rule.getSolver()));
    }
    if (pair.hasMsign()) {
      settings.put("--precision", Choices.PRECISION.name(rule.getPrecision()));
      settings.put("--msign-steps", String.valueOf(rule.getMsignSteps()));
    }
    if (pair.hasMomentum()) {
      settings.put("--momentum", String.valueOf(rule.getMomentum()));
      settings.put("--nesterov", String.valueOf(rule.getNesterov()));
    }
    if (pair.hasWeightDecay()) {
      settings.put("--weight-decay", String.valueOf(rule.getWeightDecay()));
    }
    settings.put("--durability", DurabilityWords.of(model.getDurability()));
    return settings;
  }

  private static Pair pair(Parameter parameter) {
    return Pair.of(parameter.getManifold(), parameter.getNorm()).orElseThrow();
  }

  /** The radius that a parameter has by itself. */
  private static double ownRadius(Parameter parameter) {
    Pair pair = pair(parameter);
    View view = parameter.getView();
    return pair.defaultRadius(view, Matrices.of(pair, view, parameter.getShapeList()));
  }
}
