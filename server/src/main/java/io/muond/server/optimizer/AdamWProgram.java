package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import java.util.Arrays;
import java.util.List;

/**
 * AdamW (arXiv 1711.05101): W ← (1 − ηλ)W − rη c₁M / (√(c₂V) + ε), where with the batch's age t the
 * corrections are c = 1 / (1 − βᵗ).
 */
final class AdamWProgram extends Program {
  /** c₁ and √c₂, after the numbers of the {@link Descent}. */
  private static final int CORRECTIONS = 2;

  private final AdamW rule;

  AdamWProgram(Engine engine, BatchSpec spec, Points points) {
    super(engine, spec, points);
    rule = spec.rule().adamw().rounded();
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
  public BatchStep step(StepInput input) {
    return new Step(input);
  }

  private final class Step extends PartwiseStep {
    private final Matrices v;
    private final Matrices nextV;

    Step(StepInput input) {
      super(AdamWProgram.this, input);
      v = shape.view(input.buffers().secondMoment(), spec.count());
      nextV = shape.view(input.buffers().nextSecondMoment(), spec.count());
    }

    @Override
    void enqueue(Part part) {
      BatchView at = part.at();
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
      compute.maxAbs(a, part.out().scale());
      compute.dot(at.gradient, a, part.out().objective());
      Descent.apply(compute, input.numbers(), spec, part.from(), at, a);
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
