package io.muond.server.optimizer;

import io.muond.server.linalg.Flops;
import io.muond.server.manifold.NormKind;
import io.muond.server.manifold.SpectralBall;

/**
 * What a step of a batch takes, estimated before it is made: the floating-point operations of its
 * products, and for element-wise work as many as a device does meanwhile. Only ratios matter.
 */
final class StepCost {
  /**
   * Floating-point operations in the time in which an element is read or written once: an H100 does
   * 67e12 float32 operations and moves 3.35e12 bytes in a second, 80 to 4 bytes.
   */
  private static final double PER_ACCESS = 80;

  /** Elements read or written per element of the weights, momentum and report included. */
  private static final double ACCESSES = 20;

  /** The same where weights are copied. */
  private static final double COPY = 2;

  private final long m;
  private final long n;
  private final BatchSpec spec;
  private final Rule rule;
  private final Flops flops = new Flops();

  private StepCost(BatchSpec spec) {
    m = Math.max(spec.rows(), spec.columns());
    n = Math.min(spec.rows(), spec.columns());
    this.spec = spec;
    rule = spec.rule();
  }

  static double of(BatchSpec spec) {
    double elements = (double) spec.count() * spec.rows() * spec.columns();
    if (spec.rule().frozen()) {
      return PER_ACCESS * COPY * elements;
    }
    return PER_ACCESS * ACCESSES * elements + spec.count() * new StepCost(spec).products();
  }

  private double products() {
    switch (spec.manifold()) {
      case STIEFEL -> stiefel();
      case SPECTRAL_BALL -> ball();
      case EUCLIDEAN -> euclidean();
      case OBLIQUE, CENTERED_OBLIQUE -> {}
    }
    return flops.total();
  }

  private void euclidean() {
    if (spec.norm() == NormKind.SPECTRAL) {
      msign(m, rule.msignSteps());
    }
  }

  /** At learning rates of up to 1: beyond, the cap takes several levels. */
  private void ball() {
    msign(m, rule.msignSteps());
    msign(m, SpectralBall.POLAR_STEPS);
    msign(n, SpectralBall.SIGN_STEPS);
    full(3, n, n, m);
    halves(1, n, m);
    halves(1, n, n);
  }

  private void stiefel() {
    if (spec.norm() == NormKind.FROBENIUS) {
      full(m == n ? 2 : 4, n, n, m);
    } else {
      spectral();
    }
    retraction();
  }

  private void spectral() {
    switch (rule.solver()) {
      case EXACT -> exact();
      case PROJECTED -> projected();
      case DUAL_ASCENT -> dualAscent();
      case ADMM -> admm();
    }
    if (rule.solver() == Solver.DUAL_ASCENT || rule.solver() == Solver.ADMM) {
      msign(m, StiefelStep.RETRACTION_STEPS);
    }
  }

  private void exact() {
    long order = m == n ? n : Math.min(m, 2 * n);
    for (int k = 0; k < rule.msignSteps(); k++) {
      halves(3, order, order);
    }
    if (m <= 2 * n) {
      full(2, order, n, m);
      return;
    }
    // The skew factor takes five, its basis four, two Gram matrices and two triangular solves.
    full(9, n, n, m);
    halves(4, n, m);
  }

  private void projected() {
    full(4, n, n, m);
    msign(m, rule.msignSteps());
  }

  /** At worst: where it stops early, nobody knows beforehand. */
  private void dualAscent() {
    for (int k = 0; k < rule.iterations(); k++) {
      full(2, n, n, m);
      msign(m, rule.msignSteps());
    }
  }

  private void admm() {
    for (int k = 0; k < rule.iterations(); k++) {
      full(3, n, n, m);
      halves(1, n, m);
      msign(m, rule.msignSteps());
      msign(n, rule.msignSteps());
    }
    msign(m, rule.msignSteps());
  }

  private void msign(long rows, int steps) {
    for (int k = 0; k < steps; k++) {
      halves(1, n, rows);
      halves(1, n, n);
      full(1, n, n, rows);
    }
  }

  /** And what is checked after it. */
  private void retraction() {
    full(2, n, n, m);
    halves(2, n, m);
    halves(1, n, n);
  }

  private void full(int count, long rows, long columns, long depth) {
    for (int i = 0; i < count; i++) {
      flops.product(rows, columns, depth);
    }
  }

  private void halves(int count, long order, long depth) {
    for (int i = 0; i < count; i++) {
      flops.half(order, depth);
    }
  }
}
