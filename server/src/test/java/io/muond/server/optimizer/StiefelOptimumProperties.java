package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.muond.server.engine.TestEngines;
import io.muond.server.engine.cpu.Float64;
import java.util.Arrays;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/**
 * The exact solver against the convex programme that it stands for: the largest ⟨G, A⟩ with ‖A‖ ≤ 1
 * and WᵀA + AᵀW = 0. A symmetric Λ makes ⟨WΛ, A⟩ = ½⟨Λ, WᵀA + AᵀW⟩ = 0, so that ⟨G, A⟩ = ⟨G + WΛ,
 * A⟩ ≤ ‖G + WΛ‖_* whatever Λ is, and the least of these bounds is reached: convex optimization has
 * no gap here. It is found by descent, without what is known of its solution.
 */
class StiefelOptimumProperties {
  /**
   * At most, per smoothing. With 100, one gradient in hundreds is left 6e-5 above the least bound.
   */
  private static final int DESCENT_STEPS = 1_000;

  private static StiefelSteps steps;

  @BeforeContainer
  static void open() {
    steps = new StiefelSteps(TestEngines.open(2, 1L << 28));
  }

  @AfterContainer
  static void close() {
    TestEngines.close(steps.engine());
  }

  @Provide
  Arbitrary<StepShape> shapes() {
    return Arbitraries.of(
        new StepShape(2, 2),
        new StepShape(3, 2),
        new StepShape(2, 3),
        new StepShape(3, 3),
        new StepShape(4, 2),
        new StepShape(5, 2));
  }

  @Property(tries = 60)
  void exactStepsReachTheLeastBound(@ForAll("shapes") StepShape shape, @ForAll long seed) {
    try (TestBatch batch = steps.batch(shape, Rule.DEFAULT)) {
      float[] w = batch.initialize(seed).weights();
      float[] g = StiefelSteps.gradient(shape, w, 1, seed);
      MatrixReport report = batch.step(g, 0.1, ReportDetail.OPTIMUM).get(0);
      double bound = Dual.of(shape, w, g).least();
      assertThat(report.objective()).isBetween(0.9995 * bound, (1 + 1e-5) * bound);
      assertThat(report.optimum()).isCloseTo(bound, within(1e-5 * bound));
    }
  }

  /** ‖G + WΛ‖_* of tall W and G, as a function of Λ. */
  private static final class Dual {
    private final int m;
    private final int n;
    private final double[] w;
    private final double[] g;

    private Dual(StepShape shape, float[] w, float[] g) {
      m = shape.rows();
      n = shape.columns();
      this.w = Reference.doubles(w);
      this.g = Reference.doubles(g);
    }

    static Dual of(StepShape shape, float[] w, float[] g) {
      return shape.rows() < shape.columns()
          ? of(shape.turned(), shape.transpose(w), shape.transpose(g))
          : new Dual(shape, w, g);
    }

    /** The bound where ever less smoothing leads to, from Λ = 0. */
    double least() {
      double[] lambda = new double[n * n];
      for (double epsilon = 0.1; epsilon > 5e-7; epsilon /= 10) {
        lambda = descend(lambda, epsilon * Reference.norm(g));
      }
      return smoothed(lambda, 0);
    }

    private double[] at(double[] lambda) {
      return Reference.combine(1, g, 1, Float64.product(m, n, n, w, false, lambda, false));
    }

    /** Σ √(σ² + ε²), convex and smooth in Λ. */
    private double smoothed(double[] lambda, double epsilon) {
      double[] sigma = Reference.singularValues(m, n, at(lambda));
      return Arrays.stream(sigma).map(s -> Math.hypot(s, epsilon)).sum();
    }

    /** sym(Wᵀ U f(Σ) Vᵀ) with f(σ) = σ / √(σ² + ε²). */
    private double[] slope(double[] lambda, double epsilon) {
      double[] x =
          Reference.onSingularValues(
              m, n, at(lambda), s -> s == 0 ? 0 : s / Math.hypot(s, epsilon));
      double[] b = Float64.product(n, n, m, w, true, x, false);
      return Reference.combine(0.5, b, 0.5, Reference.transpose(n, n, b));
    }

    /** Gradient descent. Lengths double from step to step, and halve until they pay. */
    private double[] descend(double[] from, double epsilon) {
      double[] lambda = from;
      double value = smoothed(lambda, epsilon);
      double length = epsilon;
      for (int step = 0; step < DESCENT_STEPS; step++) {
        double[] slope = slope(lambda, epsilon);
        double gain = Reference.dot(slope, slope) / 2;
        double[] next = Reference.combine(1, lambda, -length, slope);
        double least = smoothed(next, epsilon);
        while (least > value - length * gain && length > 1e-9 * epsilon) {
          length /= 2;
          next = Reference.combine(1, lambda, -length, slope);
          least = smoothed(next, epsilon);
        }
        if (least >= value) {
          return lambda;
        }
        lambda = next;
        value = least;
        length *= 2;
      }
      return lambda;
    }
  }
}
