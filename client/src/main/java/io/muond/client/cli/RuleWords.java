package io.muond.client.cli;

import io.muond.manifold.Pair;
import io.muond.v1.AdamWOptions;
import io.muond.v1.AdmmOptions;
import io.muond.v1.DualAscentOptions;
import io.muond.v1.Parameter;
import io.muond.v1.Rule;
import java.util.ArrayList;
import java.util.List;

/** How a parameter begins and is stepped: every setting that means something for it. */
final class RuleWords {
  private final List<String> words = new ArrayList<>();

  private RuleWords() {}

  /** Of a parameter as the server describes it, with every default. */
  static String of(Parameter parameter) {
    Rule rule = parameter.getRule();
    RuleWords words = new RuleWords();
    Pair.of(parameter.getManifold(), parameter.getNorm()).ifPresent(pair -> words.add(pair, rule));
    words.put("initial", Choices.INITIAL.nameOrNull(parameter.getInitial()));
    if (rule.getFrozen()) {
      words.words.add("frozen");
    }
    return String.join(" ", words.words);
  }

  private void add(Pair pair, Rule rule) {
    if (pair.hasSolver()) {
      put("solver", Choices.SOLVER.nameOrNull(rule.getSolver()));
    }
    if (rule.hasDualAscent()) {
      DualAscentOptions options = rule.getDualAscent();
      put("alpha", options.getAlpha());
      put("iterations", options.getIterations());
      put("tolerance", options.getTolerance());
    }
    if (rule.hasAdmm()) {
      AdmmOptions options = rule.getAdmm();
      put("rho", options.getRho());
      put("iterations", options.getIterations());
    }
    if (pair.hasMsign()) {
      put("precision", Choices.PRECISION.nameOrNull(rule.getPrecision()));
      put("msign-steps", rule.getMsignSteps());
    }
    if (pair.hasMomentum()) {
      put("momentum", rule.getMomentum());
      put("nesterov", rule.getNesterov());
    }
    if (rule.hasAdamw()) {
      AdamWOptions options = rule.getAdamw();
      put("beta1", options.getBeta1());
      put("beta2", options.getBeta2());
      put("epsilon", options.getEpsilon());
    }
    if (pair.hasWeightDecay()) {
      put("weight-decay", rule.getWeightDecay());
    }
  }

  private void put(String key, Object value) {
    if (value != null) {
      words.add(key + "=" + value);
    }
  }
}
