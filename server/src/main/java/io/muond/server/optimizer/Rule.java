package io.muond.server.optimizer;

import static java.util.Objects.requireNonNull;

import io.muond.server.engine.Precision;

/**
 * How the parameters of a batch are stepped. Values are valid: whoever reads them from a request
 * has checked them.
 *
 * @param msignSteps Polar Express iterations, at least 1
 * @param momentum beta in M = beta M + G, in [0, 1), rounded to a float32 below 1; 0 is no momentum
 * @param nesterov take G + beta M instead of M
 * @param alpha dual ascent's step size
 * @param tolerance dual ascent's stopping tolerance
 * @param rho ADMM's penalty
 * @param iterations outer iterations of dual ascent or ADMM
 * @param weightDecay lambda in W - eta lambda W, without a constraint
 * @param adamw AdamW's settings, where that is the norm
 * @param frozen whether nothing moves
 */
public record Rule(
    Solver solver,
    Precision precision,
    int msignSteps,
    double momentum,
    boolean nesterov,
    double alpha,
    double tolerance,
    double rho,
    int iterations,
    double weightDecay,
    AdamW adamw,
    boolean frozen) {

  /** The exact solver in float32 with 8 msign steps and no momentum. */
  public static final Rule DEFAULT =
      new Rule(Solver.EXACT, Precision.FLOAT32, 8, 0, false, 0.01, 1e-6, 4, 100);

  public Rule {
    requireNonNull(solver, "solver is null");
    requireNonNull(precision, "precision is null");
    requireNonNull(adamw, "adamw is null");
    // It is computed with in float32, where a beta just below 1 would never forget.
    momentum = AdamW.rounded(momentum);
  }

  /** A rule of weights that move, without weight decay. */
  public Rule(
      Solver solver,
      Precision precision,
      int msignSteps,
      double momentum,
      boolean nesterov,
      double alpha,
      double tolerance,
      double rho,
      int iterations) {
    this(
        solver,
        precision,
        msignSteps,
        momentum,
        nesterov,
        alpha,
        tolerance,
        rho,
        iterations,
        0,
        AdamW.DEFAULT,
        false);
  }
}
