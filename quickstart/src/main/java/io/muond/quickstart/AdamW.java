package io.muond.quickstart;

import java.util.List;

/** AdamW as PyTorch has it: beta 0.9 and 0.999, epsilon 1e-8, decoupled weight decay. */
final class AdamW implements Optimizer {
  private static final double BETA_1 = 0.9;
  private static final double BETA_2 = 0.999;
  private static final double EPSILON = 1e-8;

  private final List<Matrix> weights;
  private final List<Matrix> firstMoments;
  private final List<Matrix> secondMoments;
  private final double weightDecay;
  private int steps;

  /** From a copy of these weights. Each step shrinks them by learning rate times decay. */
  AdamW(List<Matrix> start, double weightDecay) {
    this.weights = start.stream().map(Matrix::copy).toList();
    this.firstMoments = zerosLike(start);
    this.secondMoments = zerosLike(start);
    this.weightDecay = weightDecay;
  }

  @Override
  public List<Matrix> weights() {
    return weights;
  }

  @Override
  public void step(List<Matrix> gradients, double learningRate) {
    steps++;
    for (int i = 0; i < weights.size(); i++) {
      step(i, gradients.get(i).data(), learningRate);
    }
  }

  private void step(int parameter, float[] g, double learningRate) {
    float[] w = weights.get(parameter).data();
    float[] m = firstMoments.get(parameter).data();
    float[] v = secondMoments.get(parameter).data();
    double correction1 = 1 - Math.pow(BETA_1, steps);
    double correction2 = 1 - Math.pow(BETA_2, steps);
    for (int i = 0; i < w.length; i++) {
      m[i] = (float) (BETA_1 * m[i] + (1 - BETA_1) * g[i]);
      v[i] = (float) (BETA_2 * v[i] + (1 - BETA_2) * g[i] * g[i]);
      double update = m[i] / correction1 / (Math.sqrt(v[i] / correction2) + EPSILON);
      w[i] = (float) (w[i] * (1 - learningRate * weightDecay) - learningRate * update);
    }
  }

  private static List<Matrix> zerosLike(List<Matrix> matrices) {
    return matrices.stream().map(m -> Matrix.zeros(m.rows(), m.columns())).toList();
  }
}
