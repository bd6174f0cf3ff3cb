package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.engine.Stopwatch;
import java.util.Arrays;
import java.util.List;

/**
 * AdamW (arXiv 1711.05101): W ← (1 − ηλ)W − rη c₁M / (√(c₂V) + ε), where with the batch's age t the
 * corrections are c = 1 / (1 − βᵗ).
 */
final class AdamWProgram implements BatchProgram {
  /** c₁ and √c₂, after the numbers of the {@link Descent}. */
  private static final int CORRECTIONS = 2;

  private final Engine engine;
  private final Compute compute;
  private final BatchSpec spec;
  private final AdamW rule;
  private final FlatPoints points;

  AdamWProgram(Engine engine, BatchSpec spec) {
    this.engine = engine;
    this.compute = engine.compute();
    this.spec = spec;
    rule = spec.rule().adamw().rounded();
    points = new FlatPoints(compute, spec);
  }

  @Override
  public BatchSpec spec() {
    return spec;
  }

  @Override
  public long workspaceFloats() {
    return 0;
  }

  @Override
  public int reportNumbers(ReportDetail detail) {
    return new Numbers(spec.count(), detail, 0).total();
  }

  @Override
  public int inputNumbers() {
    return Math.addExact(Descent.numbers(spec), CORRECTIONS);
  }

  @Override
  public double[] inputs(List<Double> learningRates, long age) {
    double[] inputs = Arrays.copyOf(Descent.inputs(spec, learningRates), inputNumbers());
    inputs[inputs.length - 2] = correction(rule.beta1(), age);
    inputs[inputs.length - 1] = Math.sqrt(correction(rule.beta2(), age));
    return inputs;
  }

  private static double correction(double beta, long age) {
    return 1 / (1 - Math.pow(beta, (double) age));
  }

  @Override
  public void initialize(long[] seeds, Region weights, Region workspace) {
    points.initialize(seeds, weights, workspace);
  }

  @Override
  public double[] project(Region from, Region to, Region workspace) {
    return points.project(from, to, workspace);
  }

  @Override
  public BatchStep step(StepInput input) {
    return new Step(input);
  }

  private final class Step extends DirectStep {
    private final Matrices v;
    private final Matrices nextV;

    Step(StepInput input) {
      super(engine, spec, input, /* transposed= */ false, spec.count(), /* residuals= */ 0);
      v = BatchView.view(spec, false, input.buffers().secondMoment());
      nextV = BatchView.view(spec, false, input.buffers().nextSecondMoment());
    }

    @Override
    void enqueue(
        int from, int count, BatchView at, Numbers.Part out, Effort effort, Stopwatch watch) {
      Scalars corrections = input.numbers().slice(Descent.numbers(spec), CORRECTIONS);
      Matrices a = at.next;
      compute.adamw(
          rule.beta1(),
          rule.beta2(),
          rule.epsilon(),
          corrections,
          at.momentum,
          v,
          at.gradient,
          nextV,
          a);
      compute.maxAbs(a, out.scale());
      compute.dot(at.gradient, a, out.objective());
      Descent.apply(compute, input.numbers(), spec, from, at, a);
      compute.distance(at.next, at.w, out.moved());
    }

    /** A direction is not finite because a moment is not: one of them tells where. */
    @Override
    void requireFinite(double[] values, int k) {
      if (Double.isFinite(numbers.scale(values, k))) {
        return;
      }
      for (Matrices moment : List.of(view.gradient, nextV)) {
        NotFiniteException found = NonFinite.search(moment.matrix(k), k);
        if (found != null) {
          throw found;
        }
      }
    }
  }
}
