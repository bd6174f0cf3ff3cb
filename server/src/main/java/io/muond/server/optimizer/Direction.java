package io.muond.server.optimizer;

import io.muond.server.engine.Matrices;
import io.muond.server.linalg.Carver;

/**
 * A linear minimisation oracle on the Stiefel manifold: A ≈ argmax ⟨G, A⟩ over ‖A‖ ≤ 1 and UᵀA +
 * AᵀU = 0. Matrices are tall (m ≥ n) and the radius is 1.
 */
interface Direction {
  /** Whether G is to be divided by its largest element first. */
  default boolean scaleInvariant() {
    return true;
  }

  /** Whether A is tangent whatever its accuracy, so that U − ηA has no singular value below 1. */
  default boolean tangent() {
    return true;
  }

  /** Takes the intermediates out of a carver; the same calls whether it counts or cuts. */
  Buffers carve(Carver carver);

  /** A solver's intermediates, ready to run. */
  interface Buffers {
    /**
     * a ← the direction.
     *
     * @param g may be overwritten
     * @param effort is told what it took
     */
    void solve(Matrices u, Matrices g, Matrices a, Effort effort);
  }
}
