package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.engine.Region;
import io.muond.server.optimizer.BatchProgram.StepResult;
import io.muond.server.optimizer.MatrixReport;
import io.muond.server.optimizer.NotFiniteException;
import io.muond.server.optimizer.Optimizer;
import io.muond.server.optimizer.ReportDetail;
import io.muond.v1.ErrorReason;
import io.muond.v1.ParameterReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Computes steps of one model, on the engine's thread, into its spare buffers. */
final class StepComputation {
  private final Optimizer optimizer;
  private final Workspace workspace;
  private final Layout layout;
  private final ModelMemory memory;

  StepComputation(Optimizer optimizer, Workspace workspace, Layout layout, ModelMemory memory) {
    this.optimizer = requireNonNull(optimizer, "optimizer is null");
    this.workspace = requireNonNull(workspace, "workspace is null");
    this.layout = layout;
    this.memory = memory;
  }

  /**
   * What a step did.
   *
   * @param parameters reports in the order of declaration
   * @param optimumSeconds spent on optima
   */
  record Outcome(List<ParameterReport> parameters, double optimumSeconds) {}

  /** Computes {@code step}. Committed weights and momentum stay as they are. */
  Outcome run(OpenStep step) {
    ParameterReport[] reports = new ParameterReport[layout.parameters().size()];
    double optimumSeconds = 0;
    for (int b = 0; b < layout.batches().size(); b++) {
      long started = System.nanoTime();
      sum(step, b);
      long summed = System.nanoTime();
      StepResult result = step(step.options(), b);
      double stepSeconds = (System.nanoTime() - summed) / 1e9;
      if (step.options().reportDetail() == ReportDetail.OPTIMUM) {
        optimumSeconds += Math.max(0, stepSeconds - result.seconds());
      }
      double seconds = result.seconds() + (summed - started) / 1e9;
      report(step.options(), layout.batches().get(b), result, seconds, reports);
    }
    return new Outcome(List.of(reports), optimumSeconds);
  }

  private void sum(OpenStep step, int batch) {
    List<Region> regions = new ArrayList<>();
    double[] weights = new double[step.parts().size()];
    for (OpenStep.Part part : step.parts().values()) {
      weights[regions.size()] = part.weight;
      regions.add(memory.gradientSlot(batch, part.slot));
    }
    if (weights.length > 1 || weights[0] != 1) {
      optimizer.sum(regions, weights);
    }
  }

  private StepResult step(StepOptions options, int index) {
    Batch batch = layout.batches().get(index);
    double[] rates = new double[batch.spec().count()];
    int matrix = 0;
    for (ParameterSpec parameter : batch.members()) {
      for (int i = 0; i < parameter.matrices(); i++) {
        rates[matrix++] = options.learningRate(parameter);
      }
    }
    try {
      return batch
          .program()
          .step(memory.stepBuffers(index), rates, options.reportDetail(), workspace.memory());
    } catch (NotFiniteException e) {
      throw notFinite(batch, e);
    }
  }

  /** The refusal of what {@code batch} found not to be finite. */
  static MuondException notFinite(Batch batch, NotFiniteException e) {
    Batch.Member member = batch.member(e.matrix());
    return Refusals.notFinite(member.parameter().name(), member.index(e.index()), e.value());
  }

  private static void report(
      StepOptions options,
      Batch batch,
      StepResult result,
      double seconds,
      ParameterReport[] reports) {
    int first = 0;
    for (ParameterSpec parameter : batch.members()) {
      List<MatrixReport> matrices = result.matrices().subList(first, first + parameter.matrices());
      reports[parameter.index()] =
          merge(parameter, matrices, options.reportDetail())
              .setSeconds(seconds)
              .setLearningRate(options.learningRate(parameter))
              .build();
      first += parameter.matrices();
    }
  }

  private static ParameterReport.Builder merge(
      ParameterSpec parameter, List<MatrixReport> matrices, ReportDetail detail) {
    ParameterReport.Builder report = ParameterReport.newBuilder().setName(parameter.name());
    double objective = 0;
    double optimum = 0;
    double feasible = 0;
    double tangency = 0;
    double orthogonality = 0;
    double updateSquares = 0;
    double flops = 0;
    int iterations = 0;
    for (MatrixReport m : matrices) {
      requireFinite(parameter, m);
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
    if (detail == ReportDetail.OPTIMUM) {
      report.setOptimum(optimum).setFeasibleObjective(feasible);
    }
    return report;
  }

  private static void requireFinite(ParameterSpec parameter, MatrixReport m) {
    if (!Double.isFinite(m.objective()) || !Double.isFinite(m.updateNorm())) {
      throw new MuondException(
          ErrorReason.NOT_FINITE,
          "parameter \""
              + parameter.name()
              + "\": the step gives objective "
              + m.objective()
              + " and update norm "
              + m.updateNorm()
              + " (expected: finite numbers; the gradients are too large for its solver)",
          Map.of("parameter", parameter.name()));
    }
  }
}
