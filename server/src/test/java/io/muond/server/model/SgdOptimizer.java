package io.muond.server.model;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import io.muond.server.engine.Stopwatch;
import io.muond.server.optimizer.AdamW;
import io.muond.server.optimizer.BatchProgram;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.BatchStep;
import io.muond.server.optimizer.Effort;
import io.muond.server.optimizer.MatrixReport;
import io.muond.server.optimizer.NotFiniteException;
import io.muond.server.optimizer.Optimizer;
import io.muond.server.optimizer.ReportDetail;
import io.muond.server.optimizer.StepBuffers;
import io.muond.server.optimizer.StepInput;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.function.UnaryOperator;

/**
 * Plain gradient descent with momentum, W ← W − ηM, on the host: results are easy to foretell, and
 * a test can hold a step back or make it fail. Where AdamW is asked for it is, but for rounding.
 */
public final class SgdOptimizer implements Optimizer {
  /** Steps take a permit each; tests drain it to hold them back. */
  public final Semaphore permits = new Semaphore(Integer.MAX_VALUE);

  /** Whether each batch of a step takes its permit for good. */
  public volatile boolean takesPermits;

  /** The next initialization, projection or step writes its results and fails so, unchecked. */
  public volatile Throwable failure;

  /** Counted down by each step that begins. */
  public volatile CountDownLatch begun = new CountDownLatch(0);

  private final UnaryOperator<Memory> direct;

  public SgdOptimizer() {
    this(UnaryOperator.identity());
  }

  /**
   * @param direct the memory behind one of which a test makes transfers fail: these are the
   *     server's own
   */
  public SgdOptimizer(UnaryOperator<Memory> direct) {
    this.direct = direct;
  }

  @Override
  public BatchProgram program(BatchSpec spec) {
    if (spec.rows() == 13) {
      throw new IllegalArgumentException("13 rows are unlucky");
    }
    return new Program(spec);
  }

  @Override
  public double cost(BatchSpec spec) {
    return spec.count() * spec.rows() * spec.columns();
  }

  @Override
  public void sum(List<Region> regions, double[] weights) {
    float[] total = new float[(int) regions.get(0).floats()];
    for (int i = 0; i < weights.length; i++) {
      float[] values = get(regions.get(i));
      for (int j = 0; j < total.length; j++) {
        total[j] += (float) weights[i] * values[j];
      }
    }
    put(regions.get(0), total);
  }

  private void failIfPlanned() {
    Throwable planned = failure;
    failure = null;
    if (planned instanceof Error error) {
      throw error;
    }
    if (planned != null) {
      throw (RuntimeException) planned;
    }
  }

  private float[] get(Region region) {
    ByteBuffer bytes =
        ByteBuffer.allocate((int) region.floats() * 4).order(ByteOrder.LITTLE_ENDIAN);
    direct.apply(region.memory()).send(region.offset(), ElementType.FLOAT32, bytes);
    float[] values = new float[(int) region.floats()];
    bytes.flip().asFloatBuffer().get(values);
    return values;
  }

  private void put(Region region, float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    direct.apply(region.memory()).receive(region.offset(), ElementType.FLOAT32, bytes);
  }

  private final class Program implements BatchProgram {
    private final BatchSpec spec;
    private long age;

    private Program(BatchSpec spec) {
      this.spec = spec;
    }

    @Override
    public BatchSpec spec() {
      return spec;
    }

    @Override
    public long workspaceFloats() {
      return spec.matrixFloats();
    }

    @Override
    public int reportNumbers(ReportDetail detail) {
      return 0;
    }

    @Override
    public void initialize(long[] seeds, Region weights, Region workspace) {
      float[] values = new float[(int) spec.floats()];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (seeds[(int) (i / spec.matrixFloats())] % 1000) / 1000 + i;
      }
      put(weights, values);
      failIfPlanned();
    }

    @Override
    public double[] project(Region from, Region to, Region workspace) {
      put(to, get(from));
      failIfPlanned();
      return new double[spec.count()];
    }

    @Override
    public double[] inputs(List<Double> learningRates, long stepAge) {
      age = stepAge;
      return BatchProgram.super.inputs(learningRates, stepAge);
    }

    @Override
    public BatchStep step(StepInput input) {
      return new Step(this, input);
    }
  }

  private final class Step implements BatchStep {
    private final Program program;
    private final BatchSpec spec;
    private final StepInput input;

    private Step(Program program, StepInput input) {
      this.program = program;
      this.spec = program.spec;
      this.input = input;
    }

    @Override
    public Object recipe() {
      return null;
    }

    @Override
    public Effort enqueue(Stopwatch watch) {
      begun.countDown();
      permits.acquireUninterruptibly();
      if (!takesPermits) {
        permits.release();
      }
      StepBuffers buffers = input.buffers();
      float[] w = get(buffers.weights());
      if (spec.rule().frozen()) {
        put(buffers.next(), w);
        return new Effort(spec.count());
      }
      float[] g = get(buffers.gradient());
      if (buffers.secondMoment() != null) {
        adamw(buffers, w, g);
        put(buffers.next(), w);
        failIfPlanned();
        return new Effort(spec.count());
      }
      if (buffers.momentum() != null) {
        float[] m = get(buffers.momentum());
        for (int i = 0; i < g.length; i++) {
          g[i] += (float) spec.rule().momentum() * m[i];
        }
      }
      for (int i = 0; i < w.length; i++) {
        w[i] -= rate(i) * g[i];
      }
      put(buffers.next(), w);
      put(buffers.gradient(), g);
      failIfPlanned();
      return new Effort(spec.count());
    }

    private void adamw(StepBuffers buffers, float[] w, float[] g) {
      AdamW settings = spec.rule().adamw();
      float[] m = get(buffers.momentum());
      float[] v = get(buffers.secondMoment());
      double c1 = 1 / (1 - Math.pow(settings.beta1(), (double) program.age));
      double c2 = 1 / (1 - Math.pow(settings.beta2(), (double) program.age));
      for (int i = 0; i < w.length; i++) {
        m[i] = (float) (settings.beta1() * m[i] + (1 - settings.beta1()) * g[i]);
        v[i] = (float) (settings.beta2() * v[i] + (1 - settings.beta2()) * g[i] * g[i]);
        w[i] -= (float) (rate(i) * c1 * m[i] / (Math.sqrt(c2 * v[i]) + settings.epsilon()));
      }
      put(buffers.gradient(), m);
      put(buffers.nextSecondMoment(), v);
    }

    private float rate(int element) {
      return input.learningRates().get((int) (element / spec.matrixFloats())).floatValue();
    }

    @Override
    public List<MatrixReport> reports(Effort effort, double[] numbers) {
      if (spec.rule().frozen()) {
        return Collections.nCopies(spec.count(), new MatrixReport(0, 0, 0, 0, 0, 0, 0, 0));
      }
      float[] g = get(input.buffers().gradient());
      for (int i = 0; i < g.length; i++) {
        if (!Float.isFinite(g[i])) {
          int matrix = (int) (i / spec.matrixFloats());
          throw new NotFiniteException(matrix, i % spec.matrixFloats(), g[i]);
        }
      }
      MatrixReport report = new MatrixReport(1, Double.NaN, Double.NaN, 0, 0, 1, 0, 0);
      return Collections.nCopies(spec.count(), report);
    }
  }
}
