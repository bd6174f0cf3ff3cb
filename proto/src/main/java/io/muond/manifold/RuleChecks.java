package io.muond.manifold;

import io.muond.v1.Precision;
import io.muond.v1.Rule;
import io.muond.v1.Solver;

/** The rules of a rule that a parameter has for itself. */
public final class RuleChecks {
  private static final int MAX_MSIGN_STEPS = 64;
  private static final int MAX_ITERATIONS = 10_000;

  private RuleChecks() {}

  /**
   * Checks every field that is set, and that it means something to the pair.
   *
   * @throws FieldException for the first field that is wrong, named as in the rule
   */
  public static void check(Pair pair, Rule rule) {
    if (rule.getSolver() != Solver.SOLVER_UNSPECIFIED) {
      applies(pair.hasSolver(), "solver", word(rule), "stiefel with spectral");
    }
    if (rule.getPrecision() != Precision.PRECISION_UNSPECIFIED) {
      Require.that(
          rule.getPrecision() != Precision.UNRECOGNIZED,
          "precision",
          rule.getPrecisionValue(),
          "a known precision");
      applies(pair.hasMsign(), "precision", Words.of(rule.getPrecision()), "the norm spectral");
    }
    if (rule.getMsignSteps() != 0) {
      long steps = Integer.toUnsignedLong(rule.getMsignSteps());
      applies(pair.hasMsign(), "msign_steps", steps, "the norm spectral");
      Require.between("msign_steps", steps, 1, MAX_MSIGN_STEPS);
    }
    momentum(pair, rule);
    options(rule);
    if (rule.getWeightDecay() != 0) {
      applies(
          pair.hasWeightDecay(), "weight_decay", rule.getWeightDecay(), "the manifold euclidean");
      Require.notNegative("weight_decay", rule.getWeightDecay());
    }
    adamw(pair, rule);
  }

  private static String word(Rule rule) {
    Require.that(
        rule.getSolver() != Solver.UNRECOGNIZED, "solver", rule.getSolverValue(), "a known solver");
    return Words.of(rule.getSolver());
  }

  private static void momentum(Pair pair, Rule rule) {
    if (rule.getMomentum() != 0) {
      applies(pair.hasMomentum(), "momentum", rule.getMomentum(), "norms other than adamw");
      Require.fraction("momentum", rule.getMomentum());
    }
    if (rule.getNesterov()) {
      applies(pair.hasMomentum(), "nesterov", true, "norms other than adamw");
    }
  }

  private static void options(Rule rule) {
    if (rule.hasDualAscent()) {
      applies(
          rule.getSolver() == Solver.SOLVER_DUAL_ASCENT,
          "dual_ascent",
          "given",
          "the solver dual-ascent");
      if (rule.getDualAscent().hasAlpha()) {
        Require.positive("dual_ascent.alpha", rule.getDualAscent().getAlpha());
      }
      if (rule.getDualAscent().hasIterations()) {
        iterations("dual_ascent.iterations", rule.getDualAscent().getIterations());
      }
      if (rule.getDualAscent().hasTolerance()) {
        Require.notNegative("dual_ascent.tolerance", rule.getDualAscent().getTolerance());
      }
    }
    if (rule.hasAdmm()) {
      applies(rule.getSolver() == Solver.SOLVER_ADMM, "admm", "given", "the solver admm");
      if (rule.getAdmm().hasRho()) {
        Require.positive("admm.rho", rule.getAdmm().getRho());
      }
      if (rule.getAdmm().hasIterations()) {
        iterations("admm.iterations", rule.getAdmm().getIterations());
      }
    }
  }

  private static void adamw(Pair pair, Rule rule) {
    if (!rule.hasAdamw()) {
      return;
    }
    applies(pair.hasAdamW(), "adamw", "given", "the norm adamw");
    if (rule.getAdamw().hasBeta1()) {
      Require.fraction("adamw.beta1", rule.getAdamw().getBeta1());
    }
    if (rule.getAdamw().hasBeta2()) {
      Require.fraction("adamw.beta2", rule.getAdamw().getBeta2());
    }
    if (rule.getAdamw().hasEpsilon()) {
      Require.positiveFloat("adamw.epsilon", rule.getAdamw().getEpsilon());
    }
  }

  private static void iterations(String field, int value) {
    Require.between(field, Integer.toUnsignedLong(value), 1, MAX_ITERATIONS);
  }

  private static void applies(boolean applies, String field, Object value, String where) {
    Require.that(applies, field, value, "only with " + where);
  }
}
