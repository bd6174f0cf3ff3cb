package io.muond.server.model;

import io.muond.server.engine.Region;
import io.muond.server.manifold.NormKind;
import io.muond.server.optimizer.MatrixReport;
import io.muond.server.optimizer.NotFiniteException;
import io.muond.server.optimizer.ReportDetail;
import io.muond.server.optimizer.StepRunner;
import io.muond.v1.ErrorReason;
import io.muond.v1.ParameterReport;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** Computes the steps of one shard, on its device's thread, into its spare buffers. */
final class StepComputation implements AutoCloseable {
  private final int device;
  private final Workspace workspace;
  private final Layout layout;
  private final ShardMemory memory;
  private final StepRunner runner;

  StepComputation(Device device, Layout layout, ShardMemory memory) {
    this.device = device.engine().device().ordinal();
    this.workspace = device.workspace();
    this.layout = layout;
    this.memory = memory;
    runner = new StepRunner(device.engine(), device.optimizer(), layout.programs());
  }

  /**
   * What a step did.
   *
   * @param reports by the pieces' indices
   * @param seconds that it took
   * @param optimumSeconds of these that were spent on optima
   */
  record Outcome(
      SortedMap<Integer, ParameterReport> reports, double seconds, double optimumSeconds) {

    /** What a step did on several devices at once: without optima, it had taken as much less. */
    static Outcome merge(List<Outcome> outcomes) {
      SortedMap<Integer, ParameterReport> reports = new TreeMap<>();
      double seconds = 0;
      double withoutOptima = 0;
      for (Outcome outcome : outcomes) {
        reports.putAll(outcome.reports);
        seconds = Math.max(seconds, outcome.seconds);
        withoutOptima = Math.max(withoutOptima, outcome.seconds - outcome.optimumSeconds);
      }
      return new Outcome(reports, seconds, seconds - withoutOptima);
    }
  }

  /**
   * Computes {@code step}. Committed weights and momentum stay as they are.
   *
   * @param early is told of what is finished while others compute, if anybody wants to know
   */
  Outcome run(OpenStep step, Optional<EarlyWeights> early) {
    long started = System.nanoTime();
    List<StepRunner.Given> given = new ArrayList<>();
    for (int b = 0; b < layout.batches().size(); b++) {
      given.add(given(step, b));
    }
    double[] weights = step.parts().values().stream().mapToDouble(part -> part.weight).toArray();
    StepRunner.Done done =
        runner.run(
            given,
            weights,
            step.options().reportDetail(),
            workspace.memory(),
            early.map(e -> b -> e.finished(layout.batches().get(b))));
    SortedMap<Integer, ParameterReport> reports = new TreeMap<>();
    double optimumSeconds = 0;
    for (int b = 0; b < given.size(); b++) {
      report(step.options(), layout.batches().get(b), done, b, reports);
      optimumSeconds += done.optimumSeconds(b);
    }
    return new Outcome(reports, (System.nanoTime() - started) * 1e-9, optimumSeconds);
  }

  private StepRunner.Given given(OpenStep step, int index) {
    Batch batch = layout.batches().get(index);
    List<Region> gradients =
        step.parts().values().stream().map(part -> memory.gradientSlot(index, part.slot)).toList();
    List<Double> rates = new ArrayList<>();
    for (Piece piece : batch.members()) {
      rates.addAll(Collections.nCopies(piece.matrices(), step.options().learningRate(piece)));
    }
    return new StepRunner.Given(memory.stepBuffers(index), gradients, rates, step.age());
  }

  /** The refusal of what {@code batch} found not to be finite. */
  static MuondException notFinite(Batch batch, NotFiniteException e) {
    Batch.Member member = batch.member(e.matrix());
    return Refusals.notFinite(member.piece().parameter(), member.index(e.index()), e.value());
  }

  private void report(
      StepOptions options,
      Batch batch,
      StepRunner.Done done,
      int index,
      SortedMap<Integer, ParameterReport> reports) {
    List<MatrixReport> all;
    try {
      all = done.reports(index);
    } catch (NotFiniteException e) {
      throw notFinite(batch, e);
    }
    int first = 0;
    for (Piece piece : batch.members()) {
      List<MatrixReport> matrices = all.subList(first, first + piece.matrices());
      reports.put(
          piece.index(),
          merge(piece, matrices, options.reportDetail())
              .setSeconds(done.seconds(index))
              .setLearningRate(options.learningRate(piece))
              .setDevice(device)
              .setBatch(index)
              .build());
      first += piece.matrices();
    }
  }

  private static ParameterReport.Builder merge(
      Piece piece, List<MatrixReport> matrices, ReportDetail detail) {
    ParameterReport.Builder report = ParameterReport.newBuilder().setName(piece.name());
    double objective = 0;
    double optimum = 0;
    double feasible = 0;
    double tangency = 0;
    double orthogonality = 0;
    double updateSquares = 0;
    double flops = 0;
    int iterations = 0;
    for (MatrixReport m : matrices) {
      requireFinite(piece, m);
      objective += m.objective();
      optimum += m.optimum();
      feasible += m.feasibleObjective();
      tangency = Math.max(tangency, m.tangencyRms());
      orthogonality = Math.max(orthogonality, m.orthogonalityMax());
      updateSquares += m.updateNorm() * m.updateNorm();
      flops += m.flops();
      iterations = Math.max(iterations, m.iterations());
    }
    report
        .setObjective(objective)
        .setUpdateNorm(Math.sqrt(updateSquares))
        .setSolverIterations(iterations)
        .setFloatingPointOperations(flops);
    if (detail != ReportDetail.BASIC) {
      report.setTangencyRms(tangency).setOrthogonalityMax(orthogonality);
    }
    if (detail == ReportDetail.OPTIMUM && piece.spec().norm() != NormKind.ADAMW) {
      report.setOptimum(optimum).setFeasibleObjective(feasible);
    }
    return report;
  }

  private static void requireFinite(Piece piece, MatrixReport m) {
    if (!Double.isFinite(m.objective()) || !Double.isFinite(m.updateNorm())) {
      throw new MuondException(
          ErrorReason.NOT_FINITE,
          "parameter \""
              + piece.name()
              + "\": the step gives objective "
              + m.objective()
              + " and update norm "
              + m.updateNorm()
              + " (expected: finite numbers; the gradients are too large for its solver)",
          Map.of("parameter", piece.parameter()));
    }
  }

  @Override
  public void close() {
    runner.close();
  }
}
