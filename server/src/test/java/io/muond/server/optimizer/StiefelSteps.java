package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.cpu.Float64;

/** Single Stiefel matrices of radius 1, and one step of them. */
record StiefelSteps(Engine engine) {
  /**
   * The objective is exact to 1e-7 of the gradient's norm: measured on all shapes, it is between 1
   * - 7.6e-8 / s and 1 + 7.6e-8 / s of the optimum where a share s of the gradient is tangent.
   */
  private static final double LEAST_SHARE = 0.03;

  static float[] gradient(StepShape shape, double scale, long seed) {
    return TestBatch.gaussian(shape.floats(), scale, seed);
  }

  TestBatch batch(StepShape shape, Rule rule) {
    return new TestBatch(engine, TestBatch.stiefel(shape.rows(), shape.columns(), rule));
  }

  float[] initial(StepShape shape, long seed) {
    try (TestBatch batch = batch(shape, Rule.DEFAULT)) {
      return batch.initialize(seed).weights();
    }
  }

  /** Where one step leads. */
  float[] next(StepShape shape, float[] w, float[] g, double learningRate, Rule rule) {
    try (TestBatch batch = batch(shape, rule)) {
      batch.weights(w).step(g, learningRate, ReportDetail.BASIC);
      return batch.weights();
    }
  }

  /** The part of a gradient that is normal to the manifold: W sym(WᵀG), or sym(GWᵀ)W if wide. */
  static double[] normalPart(StepShape shape, float[] w, float[] g) {
    double[] u = Reference.doubles(w);
    int rows = shape.rows();
    int columns = shape.columns();
    boolean tall = rows >= columns;
    int n = Math.min(rows, columns);
    int m = Math.max(rows, columns);
    double[] b = Float64.product(n, n, m, u, tall, Reference.doubles(g), !tall);
    double[] s = Reference.combine(0.5, b, 0.5, Reference.transpose(n, n, b));
    return tall
        ? Float64.product(rows, columns, n, u, false, s, false)
        : Float64.product(rows, columns, n, s, false, u, false);
  }

  /** Which part of a gradient's norm is along the manifold. */
  static double tangentShare(StepShape shape, float[] w, float[] g) {
    double[] x = Reference.doubles(g);
    double[] tangent = Reference.combine(1, x, -1, normalPart(shape, w, g));
    return Reference.norm(tangent) / Reference.norm(x);
  }

  /**
   * A random gradient that is not almost normal at w: of one that is, little but rounding is left.
   *
   * @param shape of a manifold that has tangents
   */
  static float[] gradient(StepShape shape, float[] w, double scale, long seed) {
    float[] g = gradient(shape, scale, seed);
    for (long next = seed + 1; tangentShare(shape, w, g) < LEAST_SHARE; next++) {
      g = gradient(shape, scale, next);
    }
    return g;
  }
}
