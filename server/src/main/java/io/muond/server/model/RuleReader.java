package io.muond.server.model;

import io.muond.manifold.FieldException;
import io.muond.manifold.Pair;
import io.muond.manifold.RuleChecks;
import io.muond.server.engine.Precision;
import io.muond.server.optimizer.AdamW;
import io.muond.server.optimizer.Rule;
import io.muond.server.optimizer.Solver;
import io.muond.v1.AdamWOptions;
import io.muond.v1.AdmmOptions;
import io.muond.v1.DualAscentOptions;
import java.util.List;

/** Default rules, the defaults of rules, and rules as the optimizer has them. */
final class RuleReader {
  /** Between them, every field of a rule means something. */
  private static final List<Pair> EVERY_FIELD =
      List.of(Pair.STIEFEL_SPECTRAL, Pair.EUCLIDEAN_ADAMW);

  private RuleReader() {}

  /** Refuses a default rule of which a field is wrong, whether or not anything follows it. */
  static void checkDefault(String field, io.muond.v1.Rule rule) {
    try {
      EVERY_FIELD.forEach(pair -> RuleChecks.check(pair, applicable(pair, rule)));
    } catch (FieldException e) {
      throw Refusals.invalidField(field, e);
    }
  }

  /** What of a rule means something to {@code pair}. */
  static io.muond.v1.Rule applicable(Pair pair, io.muond.v1.Rule rule) {
    io.muond.v1.Rule.Builder kept = rule.toBuilder();
    if (!pair.hasSolver()) {
      kept.clearSolver();
    }
    if (kept.getSolver() != io.muond.v1.Solver.SOLVER_DUAL_ASCENT) {
      kept.clearDualAscent();
    }
    if (kept.getSolver() != io.muond.v1.Solver.SOLVER_ADMM) {
      kept.clearAdmm();
    }
    if (!pair.hasMsign()) {
      kept.clearPrecision().clearMsignSteps();
    }
    if (!pair.hasMomentum()) {
      kept.clearMomentum().clearNesterov();
    }
    if (!pair.hasWeightDecay()) {
      kept.clearWeightDecay();
    }
    if (!pair.hasAdamW()) {
      kept.clearAdamw();
    }
    return kept.build();
  }

  /** A checked rule with every default that means something to {@code pair} written out. */
  static io.muond.v1.Rule complete(Pair pair, io.muond.v1.Rule rule) {
    io.muond.v1.Rule.Builder full = rule.toBuilder();
    if (pair.hasSolver() && rule.getSolver() == io.muond.v1.Solver.SOLVER_UNSPECIFIED) {
      full.setSolver(io.muond.v1.Solver.SOLVER_EXACT);
    }
    if (pair.hasMsign()) {
      if (rule.getPrecision() == io.muond.v1.Precision.PRECISION_UNSPECIFIED) {
        full.setPrecision(io.muond.v1.Precision.PRECISION_FLOAT32);
      }
      if (rule.getMsignSteps() == 0) {
        full.setMsignSteps(Rule.DEFAULT.msignSteps());
      }
    }
    if (full.getSolver() == io.muond.v1.Solver.SOLVER_DUAL_ASCENT) {
      full.setDualAscent(complete(rule.getDualAscent()));
    }
    if (full.getSolver() == io.muond.v1.Solver.SOLVER_ADMM) {
      full.setAdmm(complete(rule.getAdmm()));
    }
    if (pair.hasAdamW()) {
      full.setAdamw(complete(rule.getAdamw()));
    }
    return full.build();
  }

  private static DualAscentOptions complete(DualAscentOptions options) {
    return DualAscentOptions.newBuilder()
        .setAlpha(options.hasAlpha() ? options.getAlpha() : 0.01)
        .setIterations(options.hasIterations() ? options.getIterations() : 100)
        .setTolerance(options.hasTolerance() ? options.getTolerance() : 1e-6)
        .build();
  }

  private static AdmmOptions complete(AdmmOptions options) {
    return AdmmOptions.newBuilder()
        .setRho(options.hasRho() ? options.getRho() : 4)
        .setIterations(options.hasIterations() ? options.getIterations() : 10)
        .build();
  }

  private static AdamWOptions complete(AdamWOptions options) {
    AdamW published = AdamW.DEFAULT;
    return AdamWOptions.newBuilder()
        .setBeta1(options.hasBeta1() ? options.getBeta1() : published.beta1())
        .setBeta2(options.hasBeta2() ? options.getBeta2() : published.beta2())
        .setEpsilon(options.hasEpsilon() ? options.getEpsilon() : published.epsilon())
        .build();
  }

  /** A complete rule as the optimizer has it. What means nothing in it has its default there. */
  static Rule read(io.muond.v1.Rule rule) {
    Rule none = Rule.DEFAULT;
    boolean dualAscent = rule.hasDualAscent();
    boolean admm = rule.hasAdmm();
    return new Rule(
        solver(rule.getSolver()),
        precision(rule.getPrecision()),
        rule.getMsignSteps() == 0 ? none.msignSteps() : rule.getMsignSteps(),
        rule.getMomentum(),
        rule.getNesterov(),
        dualAscent ? rule.getDualAscent().getAlpha() : none.alpha(),
        dualAscent ? rule.getDualAscent().getTolerance() : none.tolerance(),
        admm ? rule.getAdmm().getRho() : none.rho(),
        dualAscent
            ? rule.getDualAscent().getIterations()
            : admm ? rule.getAdmm().getIterations() : none.iterations(),
        rule.getWeightDecay(),
        rule.hasAdamw() ? adamw(rule.getAdamw()) : none.adamw(),
        rule.getFrozen());
  }

  private static AdamW adamw(AdamWOptions options) {
    return new AdamW(options.getBeta1(), options.getBeta2(), options.getEpsilon());
  }

  private static Solver solver(io.muond.v1.Solver solver) {
    return switch (solver) {
      case SOLVER_EXACT, SOLVER_UNSPECIFIED -> Solver.EXACT;
      case SOLVER_PROJECTED -> Solver.PROJECTED;
      case SOLVER_DUAL_ASCENT -> Solver.DUAL_ASCENT;
      case SOLVER_ADMM -> Solver.ADMM;
      case UNRECOGNIZED -> throw new IllegalArgumentException(solver.name());
    };
  }

  private static Precision precision(io.muond.v1.Precision precision) {
    return switch (precision) {
      case PRECISION_FLOAT32, PRECISION_UNSPECIFIED -> Precision.FLOAT32;
      case PRECISION_TF32 -> Precision.TF32;
      case PRECISION_FLOAT16 -> Precision.FLOAT16;
      case PRECISION_BFLOAT16 -> Precision.BFLOAT16;
      case UNRECOGNIZED -> throw new IllegalArgumentException(precision.name());
    };
  }
}
