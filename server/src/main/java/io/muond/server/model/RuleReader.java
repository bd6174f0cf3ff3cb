package io.muond.server.model;

import io.muond.server.engine.Precision;
import io.muond.server.optimizer.Rule;
import io.muond.server.optimizer.Solver;
import io.muond.v1.AdmmOptions;
import io.muond.v1.DualAscentOptions;

/** Checks rules and fills in their defaults. */
final class RuleReader {
  private static final int MAX_MSIGN_STEPS = 64;
  private static final int MAX_ITERATIONS = 10_000;

  private RuleReader() {}

  /** The rule with every default written out. */
  static io.muond.v1.Rule complete(io.muond.v1.Rule rule) {
    io.muond.v1.Rule.Builder full = rule.toBuilder();
    if (rule.getSolver() == io.muond.v1.Solver.SOLVER_UNSPECIFIED) {
      full.setSolver(io.muond.v1.Solver.SOLVER_EXACT);
    }
    if (rule.getPrecision() == io.muond.v1.Precision.PRECISION_UNSPECIFIED) {
      full.setPrecision(io.muond.v1.Precision.PRECISION_FLOAT32);
    }
    if (rule.getMsignSteps() == 0) {
      full.setMsignSteps(Rule.DEFAULT.msignSteps());
    }
    if (full.getSolver() == io.muond.v1.Solver.SOLVER_DUAL_ASCENT) {
      full.setDualAscent(complete(rule.getDualAscent()));
    }
    if (full.getSolver() == io.muond.v1.Solver.SOLVER_ADMM) {
      full.setAdmm(complete(rule.getAdmm()));
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

  /**
   * Reads a complete rule.
   *
   * @param field where it stands in the request, for errors
   */
  static Rule read(String field, io.muond.v1.Rule rule) {
    int steps = rule.getMsignSteps();
    require(steps >= 1 && steps <= MAX_MSIGN_STEPS, field + ".msign_steps", steps, "1 to 64");
    double momentum = rule.getMomentum();
    require(momentum >= 0 && momentum < 1, field + ".momentum", momentum, "a number in [0, 1)");
    double alpha = Rule.DEFAULT.alpha();
    double tolerance = Rule.DEFAULT.tolerance();
    double rho = Rule.DEFAULT.rho();
    int iterations = Rule.DEFAULT.iterations();
    Solver solver = solver(field, rule.getSolver());
    if (solver == Solver.DUAL_ASCENT) {
      alpha = positive(field + ".dual_ascent.alpha", rule.getDualAscent().getAlpha());
      tolerance = rule.getDualAscent().getTolerance();
      require(
          tolerance >= 0 && Double.isFinite(tolerance),
          field + ".dual_ascent.tolerance",
          tolerance,
          "a finite number >= 0");
      iterations =
          iterations(field + ".dual_ascent.iterations", rule.getDualAscent().getIterations());
    } else if (solver == Solver.ADMM) {
      rho = positive(field + ".admm.rho", rule.getAdmm().getRho());
      iterations = iterations(field + ".admm.iterations", rule.getAdmm().getIterations());
    }
    Precision precision = precision(field, rule.getPrecision());
    return new Rule(
        solver, precision, steps, momentum, rule.getNesterov(), alpha, tolerance, rho, iterations);
  }

  private static Solver solver(String field, io.muond.v1.Solver solver) {
    return switch (solver) {
      case SOLVER_EXACT -> Solver.EXACT;
      case SOLVER_PROJECTED -> Solver.PROJECTED;
      case SOLVER_DUAL_ASCENT -> Solver.DUAL_ASCENT;
      case SOLVER_ADMM -> Solver.ADMM;
      case SOLVER_UNSPECIFIED, UNRECOGNIZED ->
          throw Refusals.invalidField(field + ".solver", solver, "a known solver");
    };
  }

  private static Precision precision(String field, io.muond.v1.Precision precision) {
    return switch (precision) {
      case PRECISION_FLOAT32 -> Precision.FLOAT32;
      case PRECISION_TF32 -> Precision.TF32;
      case PRECISION_FLOAT16 -> Precision.FLOAT16;
      case PRECISION_BFLOAT16 -> Precision.BFLOAT16;
      case PRECISION_UNSPECIFIED, UNRECOGNIZED ->
          throw Refusals.invalidField(field + ".precision", precision, "a known precision");
    };
  }

  private static double positive(String field, double value) {
    require(value > 0 && Double.isFinite(value), field, value, "a finite number > 0");
    return value;
  }

  private static int iterations(String field, int value) {
    require(value >= 1 && value <= MAX_ITERATIONS, field, value, "1 to 10000");
    return value;
  }

  private static void require(boolean valid, String field, Object value, String expectation) {
    if (!valid) {
      throw Refusals.invalidField(field, value, expectation);
    }
  }
}
