package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Recorder;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import io.muond.server.engine.Stopwatch;
import io.muond.server.linalg.Carver;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Runs the steps of all batches of a model as one sequence of operations: what changes from step to
 * step, such as learning rates, goes to the device before it, every number of the reports comes
 * back in one piece after it. The engine may record the sequence and replay it.
 */
public final class StepRunner implements AutoCloseable {
  /**
   * Batches of at most so many elements run beside each other, each branch in a workspace of its
   * own: alone they would leave most of a device idle, and they take little memory.
   */
  private static final long SMALL = 1L << 19;

  private final Engine engine;
  private final Optimizer optimizer;
  private final List<BatchProgram> programs;
  private final Recorder recorder;

  public StepRunner(Engine engine, Optimizer optimizer, List<BatchProgram> programs) {
    this.engine = engine;
    this.optimizer = optimizer;
    this.programs = List.copyOf(programs);
    recorder = engine.recorder();
  }

  /** Elements of workspace that the steps of these programs, or any other method of them, need. */
  public static long workspaceFloats(List<BatchProgram> programs) {
    long numbers = 0;
    for (BatchProgram program : programs) {
      long reported = program.reportNumbers(ReportDetail.OPTIMUM);
      numbers = Math.addExact(numbers, program.inputNumbers() + reported);
    }
    long total = Carver.aligned(Math.multiplyExact(Scalars.FLOATS, numbers));
    for (long floats : branchFloats(programs)) {
      total = Math.addExact(total, floats);
    }
    return total;
  }

  /** The branch of each program: the first for large batches, the others in turn for small ones. */
  private static int[] branches(List<BatchProgram> programs) {
    boolean anyLarge = programs.stream().anyMatch(StepRunner::isLarge);
    int first = anyLarge ? 1 : 0;
    int next = first;
    int[] branches = new int[programs.size()];
    for (int b = 0; b < branches.length; b++) {
      if (!isLarge(programs.get(b))) {
        branches[b] = next;
        next = next + 1 == Recorder.BRANCHES ? first : next + 1;
      }
    }
    return branches;
  }

  private static boolean isLarge(BatchProgram program) {
    return program.spec().floats() > SMALL;
  }

  /** Elements of workspace of each branch: programs of one branch follow each other, and share. */
  private static long[] branchFloats(List<BatchProgram> programs) {
    int[] branches = branches(programs);
    long[] floats = new long[Recorder.BRANCHES];
    for (int b = 0; b < branches.length; b++) {
      long needed = Carver.aligned(programs.get(b).workspaceFloats());
      floats[branches[b]] = Math.max(floats[branches[b]], needed);
    }
    return floats;
  }

  /**
   * What one batch is given.
   *
   * @param gradients the contributions to add, the first one the buffers' own gradient; not looked
   *     at for frozen weights
   * @param learningRates see {@link StepInput#learningRates}
   * @param age how many steps there are, with this one, since the moments were zero; at least 1
   */
  public record Given(
      StepBuffers buffers, List<Region> gradients, List<Double> learningRates, long age) {
    public Given {
      gradients = List.copyOf(gradients);
      learningRates = List.copyOf(learningRates);
      if (age < 1) {
        throw new IllegalArgumentException("age: " + age + " (expected: at least 1)");
      }
    }
  }

  /**
   * Runs one step of every batch. The committed weights and momentum stay as they are.
   *
   * @param given one for each program
   * @param weights of the contributions, the same for every batch
   * @param workspace of {@link #workspaceFloats}
   */
  public Done run(List<Given> given, double[] weights, ReportDetail detail, Memory workspace) {
    return run(given, weights, detail, workspace, Optional.empty());
  }

  /**
   * As above; such a sequence is not recorded.
   *
   * @param finished is told of each batch, by its index, when its new weights are there: before the
   *     others', if possible
   */
  public Done run(
      List<Given> given,
      double[] weights,
      ReportDetail detail,
      Memory workspace,
      Optional<IntConsumer> finished) {
    Session session = new Session(given, weights, detail, workspace);
    double[] inputs = session.allInputs();
    if (inputs.length > 0) {
      engine.compute().write(inputs, session.inputs);
    }
    Key key = session.key();
    List<Effort> efforts =
        finished.isEmpty()
            ? recorder.run(key, () -> session.enqueue(key != null, batch -> {}))
            : recorder.run(null, () -> session.enqueueTelling(key != null, finished.get()));
    return new Done(session.steps, efforts, engine.compute().read(session.report), detail);
  }

  /** The contributions of a step, as part of what its operations depend on. */
  private record Key(
      List<Object> recipes,
      List<StepBuffers> buffers,
      List<List<Region>> gradients,
      List<Double> weights,
      Memory workspace) {}

  private final class Session {
    private final List<Given> given;
    private final double[] weights;
    private final Memory workspace;
    private final Scalars inputs;
    private final Scalars report;
    private final List<BatchStep> steps = new ArrayList<>();
    private final int[] branches = branches(programs);

    Session(List<Given> given, double[] weights, ReportDetail detail, Memory workspace) {
      this.given = given;
      this.weights = weights;
      this.workspace = workspace;
      int needed = programs.stream().mapToInt(BatchProgram::inputNumbers).sum();
      int numbers = programs.stream().mapToInt(p -> p.reportNumbers(detail)).sum();
      inputs = new Scalars(workspace, 0, needed);
      report = new Scalars(workspace, (long) Scalars.FLOATS * needed, numbers);
      long used = Carver.aligned((long) Scalars.FLOATS * (needed + (long) numbers));
      List<Region> scratch = new ArrayList<>();
      for (long floats : branchFloats(programs)) {
        scratch.add(new Region(workspace, used, floats));
        used += floats;
      }
      int input = 0;
      int number = 0;
      for (int b = 0; b < programs.size(); b++) {
        BatchProgram program = programs.get(b);
        int itsInputs = program.inputNumbers();
        int itsNumbers = program.reportNumbers(detail);
        steps.add(
            program.step(
                new StepInput(
                    given.get(b).buffers(),
                    given.get(b).learningRates(),
                    detail,
                    inputs.slice(input, itsInputs),
                    report.slice(number, itsNumbers),
                    scratch.get(branches[b]))));
        input += itsInputs;
        number += itsNumbers;
      }
    }

    double[] allInputs() {
      return IntStream.range(0, programs.size())
          .mapToObj(b -> programs.get(b).inputs(given.get(b).learningRates(), given.get(b).age()))
          .flatMapToDouble(Arrays::stream)
          .toArray();
    }

    /** Null if any of the steps cannot be recorded. */
    Key key() {
      List<Object> recipes = new ArrayList<>();
      for (BatchStep step : steps) {
        Object recipe = step.recipe();
        if (recipe == null) {
          return null;
        }
        recipes.add(recipe);
      }
      return new Key(
          recipes,
          given.stream().map(Given::buffers).toList(),
          given.stream().map(Given::gradients).toList(),
          Arrays.stream(weights).boxed().toList(),
          workspace);
    }

    /**
     * @param beside whether small batches may run beside each other: not if they read results
     * @param then is told of each batch that was asked for
     */
    List<Effort> enqueue(boolean beside, IntConsumer then) {
      List<Effort> efforts = new ArrayList<>();
      for (int b = 0; b < steps.size(); b++) {
        if (beside) {
          recorder.branch(branches[b]);
        }
        Stopwatch watch = recorder.stopwatch(b);
        watch.start();
        boolean frozen = programs.get(b).spec().rule().frozen();
        if (!frozen && (weights.length > 1 || weights[0] != 1)) {
          optimizer.sum(given.get(b).gradients(), weights);
        }
        efforts.add(steps.get(b).enqueue(watch));
        watch.stop();
        then.accept(b);
      }
      if (beside) {
        recorder.join();
      }
      return efforts;
    }

    /** Tells of each batch that it is finished, in order. */
    List<Effort> enqueueTelling(boolean beside, IntConsumer finished) {
      boolean atOnce = recorder.stopwatch(0).isAtOnce();
      List<Effort> efforts = enqueue(beside, atOnce ? finished : batch -> {});
      for (int b = 0; b < steps.size() && !atOnce; b++) {
        recorder.stopwatch(b).await();
        finished.accept(b);
      }
      return efforts;
    }
  }

  /** A step whose operations are done. */
  public final class Done {
    private final List<BatchStep> steps;
    private final List<Effort> efforts;
    private final double[] numbers;
    private final ReportDetail detail;

    private Done(
        List<BatchStep> steps, List<Effort> efforts, double[] numbers, ReportDetail detail) {
      this.steps = steps;
      this.efforts = efforts;
      this.numbers = numbers;
      this.detail = detail;
    }

    /**
     * What the step did to a batch, one report per matrix.
     *
     * @throws NotFiniteException if a gradient, or the momentum made of it, is not finite
     */
    public List<MatrixReport> reports(int batch) {
      int from = 0;
      for (int b = 0; b < batch; b++) {
        from += programs.get(b).reportNumbers(detail);
      }
      int to = from + programs.get(batch).reportNumbers(detail);
      return steps.get(batch).reports(efforts.get(batch), Arrays.copyOfRange(numbers, from, to));
    }

    /** The seconds that the device worked on a batch, the optimum excluded. */
    public double seconds(int batch) {
      return recorder.stopwatch(batch).seconds();
    }

    /** The seconds that a batch's optimum took. */
    public double optimumSeconds(int batch) {
      return efforts.get(batch).optimumSeconds();
    }
  }

  @Override
  public void close() {
    recorder.close();
  }
}
