package io.muond.client.cli;

import io.muond.v1.Manifold;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.Rule;
import java.util.LinkedHashMap;
import java.util.List;
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
    for (Parameter parameter : model.getParametersList()) {
      Map<String, String> own = settings(parameter);
      given.forEach(
          (option, word) -> {
            if (!meaning(option, word, parameter).equals(own.get(option))) {
              throw new IllegalArgumentException(
                  "%s: %s (expected: %s, as model \"%s\" has it for tensor \"%s\")"
                      .formatted(
                          option, word, own.get(option), model.getName(), parameter.getName()));
            }
          });
    }
  }

  private static String meaning(String option, String word, Parameter parameter) {
    return option.equals("--radius") && word.equals(ModelArguments.AUTO)
        ? String.valueOf(ownRadius(parameter))
        : word;
  }

  /** Those of one parameter, and of the model as a whole. */
  private Map<String, String> settings(Parameter parameter) {
    Rule rule = parameter.getRule();
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("--manifold", Choices.MANIFOLD.name(parameter.getManifold()));
    settings.put("--norm", ModelArguments.norm(parameter.getManifold()));
    settings.put("--radius", String.valueOf(parameter.getRadius()));
    settings.put("--solver", Choices.SOLVER.name(rule.getSolver()));
    settings.put("--precision", Choices.PRECISION.name(rule.getPrecision()));
    settings.put("--msign-steps", String.valueOf(rule.getMsignSteps()));
    settings.put("--momentum", String.valueOf(rule.getMomentum()));
    settings.put("--nesterov", String.valueOf(rule.getNesterov()));
    settings.put("--durability", ModelArguments.word(model.getDurability()));
    return settings;
  }

  /** The radius that a manifold has by itself, see model.proto. */
  private static double ownRadius(Parameter parameter) {
    List<Long> shape = parameter.getShapeList();
    double columns = shape.isEmpty() ? 1 : shape.get(shape.size() - 1);
    if (parameter.getManifold() == Manifold.MANIFOLD_STIEFEL) {
      return Math.sqrt(shape.get(shape.size() - 2) / columns);
    }
    return parameter.getManifold() == Manifold.MANIFOLD_OBLIQUE ? Math.sqrt(columns) : 1;
  }
}
