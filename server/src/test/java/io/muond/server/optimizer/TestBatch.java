package io.muond.server.optimizer;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Region;
import io.muond.server.manifold.ManifoldKind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** A batch with buffers of its own, stepped directly on an engine. */
final class TestBatch implements AutoCloseable {
  private final BatchProgram program;
  private final StepRunner runner;
  private final Memory memory;
  private final Memory workspace;
  private Region weights;
  private Region next;
  private Region gradient;
  private Region momentum;
  private Region secondMoment;
  private Region nextSecondMoment;
  private long age;

  TestBatch(Engine engine, BatchSpec spec) {
    Optimizer optimizer = new MuonOptimizer(engine);
    program = optimizer.program(spec);
    runner = new StepRunner(engine, optimizer, List.of(program));
    long n = spec.floats();
    memory = engine.allocate("test batch", 6 * n);
    workspace = engine.allocate("test workspace", StepRunner.workspaceFloats(List.of(program)));
    weights = new Region(memory, 0, n);
    next = new Region(memory, n, n);
    gradient = spec.rule().frozen() ? null : new Region(memory, 2 * n, n);
    momentum = spec.hasMomentum() ? new Region(memory, 3 * n, n) : null;
    secondMoment = spec.hasSecondMoment() ? new Region(memory, 4 * n, n) : null;
    nextSecondMoment = spec.hasSecondMoment() ? new Region(memory, 5 * n, n) : null;
  }

  static Rule rule(Solver solver, int msignSteps) {
    int iterations = solver == Solver.ADMM ? 10 : 100;
    return new Rule(solver, Precision.FLOAT32, msignSteps, 0, false, 0.01, 1e-6, 4, iterations);
  }

  static BatchSpec stiefel(int rows, int columns, Rule rule) {
    return new BatchSpec(ManifoldKind.STIEFEL, 1, rows, columns, 1, rule);
  }

  TestBatch initialize(long seed) {
    SplittableRandom seeds = new SplittableRandom(seed);
    program.initialize(seeds.longs(program.spec().count()).toArray(), weights, all(workspace));
    return this;
  }

  TestBatch weights(float[] values) {
    write(weights, values);
    return this;
  }

  float[] weights() {
    return read(weights);
  }

  double[] project(float[] values) {
    write(next, values);
    return program.project(next, weights, all(workspace));
  }

  /** One step, committed. */
  List<MatrixReport> step(float[] g, double learningRate, ReportDetail detail) {
    double[] rates = new double[program.spec().count()];
    Arrays.fill(rates, learningRate);
    return step(g, rates, detail);
  }

  List<MatrixReport> step(float[] g, double[] learningRates, ReportDetail detail) {
    if (gradient != null) {
      write(gradient, g);
    }
    // What the workspace holds must not matter.
    write(all(workspace), nans(workspace.floats()));
    StepRunner.Given given =
        new StepRunner.Given(
            new StepBuffers(weights, next, gradient, momentum, secondMoment, nextSecondMoment),
            gradient == null ? List.of() : List.of(gradient),
            Arrays.stream(learningRates).boxed().toList(),
            ++age);
    List<MatrixReport> reports =
        runner.run(List.of(given), new double[] {1}, detail, workspace).reports(0);
    Region old = weights;
    weights = next;
    next = old;
    if (momentum != null) {
      Region oldMomentum = momentum;
      momentum = gradient;
      gradient = oldMomentum;
    }
    Region oldSecond = secondMoment;
    secondMoment = nextSecondMoment;
    nextSecondMoment = oldSecond;
    return reports;
  }

  private static Region all(Memory memory) {
    return new Region(memory, 0, memory.floats());
  }

  private static float[] nans(long floats) {
    float[] values = new float[Math.toIntExact(floats)];
    Arrays.fill(values, Float.NaN);
    return values;
  }

  private void write(Region to, float[] values) {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    to.memory().receive(to.offset(), ElementType.FLOAT32, bytes);
  }

  private float[] read(Region from) {
    float[] values = new float[Math.toIntExact(from.floats())];
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    from.memory().send(from.offset(), ElementType.FLOAT32, bytes);
    bytes.flip().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  /** Gaussian numbers times a scale. */
  static float[] gaussian(int n, double scale, long seed) {
    java.util.Random random = new java.util.Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) (scale * random.nextGaussian());
    }
    return values;
  }

  /** ‖x − y‖ / ‖y‖. */
  static double relativeError(float[] x, float[] y) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < x.length; i++) {
      difference += ((double) x[i] - y[i]) * ((double) x[i] - y[i]);
      norm += (double) y[i] * y[i];
    }
    return Math.sqrt(difference / norm);
  }

  @Override
  public void close() {
    runner.close();
    memory.close();
    workspace.close();
  }
}
