package io.muond.client.cli;

import com.google.protobuf.Duration;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.ParameterReport;
import io.muond.v1.ReportDetail;
import io.muond.v1.Rule;
import io.muond.v1.Solver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * One shape and solver to be measured, on weights and a gaussian gradient that are always the same.
 *
 * @param shape (m, n)
 * @param solver the solver
 * @param msignSteps iterations of msign; 0 for the server's default
 * @param repeats timed steps of the fast solvers
 * @param iterations of dual ascent; 0 for its default
 */
record BenchCase(List<Long> shape, Solver solver, int msignSteps, int repeats, int iterations) {
  private static final double LEARNING_RATE = 0.1;
  private static final long SEED = 1;

  /** Steps until the server's code is compiled. */
  private static final int WARM_UP = 5;

  /**
   * Reads {@code MxN}.
   *
   * @throws IllegalArgumentException if it is something else
   */
  static List<Long> parseShape(String text) {
    if (!text.matches("[1-9][0-9]{0,8}x[1-9][0-9]{0,8}")) {
      throw new IllegalArgumentException("--shapes: %s (expected: MxN)".formatted(text));
    }
    String[] parts = text.split("x", -1);
    return List.of(Long.valueOf(parts[0]), Long.valueOf(parts[1]));
  }

  /** {@code MxN}. */
  static String size(List<Long> shape) {
    return shape.get(0) + "x" + shape.get(1);
  }

  String label() {
    String word = Choices.SOLVER.name(solver);
    return iterations == 0 ? word : word + "-" + iterations;
  }

  BenchResult measure(MuondClient client, Console console) throws IOException {
    return LeasedModel.use(client, this::request, console, this::measure);
  }

  private BenchResult measure(ModelHandle model) {
    Map<String, Tensor> gradients = Map.of("w", gaussian(shape.get(0), shape.get(1)));
    // Judged on the first step, from the same weights for every solver.
    ParameterReport report = step(model, gradients, ReportDetail.REPORT_DETAIL_OPTIMUM);
    List<ParameterReport> timed = new ArrayList<>();
    if (isFast()) {
      for (int i = 0; i < WARM_UP; i++) {
        step(model, gradients, ReportDetail.REPORT_DETAIL_BASIC);
      }
      for (int i = 0; i < repeats; i++) {
        timed.add(step(model, gradients, ReportDetail.REPORT_DETAIL_BASIC));
      }
    } else {
      timed.add(report);
    }
    return new BenchResult(
        shape,
        label(),
        model.parameters().get(0).getRule().getMsignSteps(),
        report.getSolverIterations(),
        Statistics.median(timed.stream().map(ParameterReport::getSeconds).toList()),
        timed.get(0).getFloatingPointOperations(),
        report.getFeasibleObjective() / report.getOptimum(),
        report.getTangencyRms());
  }

  /** The iterative solvers take so long that one step, which is judged too, must do. */
  private boolean isFast() {
    return solver == Solver.SOLVER_EXACT || solver == Solver.SOLVER_PROJECTED;
  }

  private static ParameterReport step(
      ModelHandle model, Map<String, Tensor> gradients, ReportDetail detail) {
    StepOptions options = StepOptions.learningRate(LEARNING_RATE).withReportDetail(detail);
    return model.step(gradients, options).report().getParameters(0);
  }

  private CreateModelRequest request(String name, Duration lease) {
    Rule.Builder rule = Rule.newBuilder().setSolver(solver).setMsignSteps(msignSteps);
    if (solver == Solver.SOLVER_DUAL_ASCENT) {
      // Without a tolerance it runs to its end, as published, where rounding would let it stop.
      rule.getDualAscentBuilder().setTolerance(0);
    }
    if (iterations > 0) {
      rule.getDualAscentBuilder().setIterations(iterations);
    }
    Parameter parameter =
        Parameter.newBuilder()
            .setName("w")
            .addAllShape(shape)
            .setManifold(Manifold.MANIFOLD_STIEFEL)
            .setRadius(1)
            .setRule(rule)
            .build();
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setParameters(ParameterList.newBuilder().addParameters(parameter))
        .setSeed(SEED)
        .setLeaseTtl(lease)
        .build();
  }

  /** Standard normal entries, always the same. */
  static Tensor gaussian(long... shape) {
    Tensor tensor = Tensor.zeros(shape);
    Random random = new Random(SEED);
    for (int i = 0; i < tensor.values().length; i++) {
      tensor.values()[i] = (float) random.nextGaussian();
    }
    return tensor;
  }
}
