package io.muond.server.optimizer;

/** How the direction on the Stiefel manifold is found. */
public enum Solver {
  EXACT,
  PROJECTED,
  DUAL_ASCENT,
  ADMM
}
