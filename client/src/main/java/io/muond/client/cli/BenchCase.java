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
import io.muond.v1.Precision;
import io.muond.v1.ReportDetail;
import io.muond.v1.Rule;
import io.muond.v1.Solver;
import io.muond.v1.StepReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.ToDoubleFunction;

/**
 * One shape and solver to be measured, on weights and a gaussian gradient that are always the same.
 *
 * @param shape of the weights
 * @param solver the solver
 * @param precision of msign
 * @param msignSteps iterations of msign; 0 for the server's default
 * @param repeats timed steps of the fast solvers
 * @param iterations of dual ascent; 0 for its default
 */
record BenchCase(
    BenchShape shape,
    Solver solver,
    Precision precision,
    int msignSteps,
    int repeats,
    int iterations) {
  private static final double LEARNING_RATE = 0.1;
  private static final long SEED = 1;

  /** Steps until the server's code is compiled, and on a CUDA device captured and launched. */
  static final int WARM_UP = 5;

  String label() {
    String word = Choices.SOLVER.name(solver);
    return iterations == 0 ? word : word + "-" + iterations;
  }

  BenchResult measure(MuondClient client, Console console) throws IOException {
    return LeasedModel.use(client, this::request, console, this::measure);
  }

  private BenchResult measure(ModelHandle model) {
    Map<String, Tensor> gradients = gradients();
    // Judged on the first step, from the same weights for every solver.
    StepReport judged = step(model, gradients, ReportDetail.REPORT_DETAIL_OPTIMUM);
    List<StepReport> timed = new ArrayList<>();
    if (isFast()) {
      for (int i = 0; i < WARM_UP; i++) {
        step(model, gradients, ReportDetail.REPORT_DETAIL_BASIC);
      }
      for (int i = 0; i < repeats; i++) {
        timed.add(step(model, gradients, ReportDetail.REPORT_DETAIL_BASIC));
      }
    } else {
      timed.add(judged);
    }
    List<ParameterReport> reports = judged.getParametersList();
    return new BenchResult(
        this,
        model.parameters().get(0).getRule().getMsignSteps(),
        reports.stream().mapToInt(ParameterReport::getSolverIterations).max().orElse(0),
        Statistics.median(timed.stream().map(this::seconds).toList()),
        sum(timed.get(0).getParametersList(), ParameterReport::getFloatingPointOperations),
        sum(reports, ParameterReport::getFeasibleObjective)
            / sum(reports, ParameterReport::getOptimum),
        reports.stream().mapToDouble(ParameterReport::getTangencyRms).max().orElse(0));
  }

  private static double sum(
      List<ParameterReport> reports, ToDoubleFunction<ParameterReport> number) {
    return reports.stream().mapToDouble(number).sum();
  }

  /** Matrices of one size are stepped as one batch, whose time each of their reports tells. */
  private double seconds(StepReport report) {
    Map<List<Long>, Double> bySize = new HashMap<>();
    for (int i = 0; i < report.getParametersCount(); i++) {
      bySize.put(shape.matrix(i), report.getParameters(i).getSeconds());
    }
    return bySize.values().stream().mapToDouble(Double::doubleValue).sum();
  }

  /** The iterative solvers take so long that one step, which is judged too, must do. */
  private boolean isFast() {
    return solver == Solver.SOLVER_EXACT || solver == Solver.SOLVER_PROJECTED;
  }

  private static StepReport step(
      ModelHandle model, Map<String, Tensor> gradients, ReportDetail detail) {
    StepOptions options = StepOptions.learningRate(LEARNING_RATE).withReportDetail(detail);
    return model.step(gradients, options).report();
  }

  private CreateModelRequest request(String name, Duration lease) {
    ParameterList.Builder parameters = ParameterList.newBuilder();
    for (int i = 0; i < shape.parameters().size(); i++) {
      parameters.addParameters(
          Parameter.newBuilder()
              .setName(shape.name(i))
              .addAllShape(shape.parameters().get(i))
              .setManifold(Manifold.MANIFOLD_STIEFEL)
              .setRadius(1)
              .setRule(rule()));
    }
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setParameters(parameters)
        .setSeed(SEED)
        .setLeaseTtl(lease)
        .build();
  }

  private Rule rule() {
    Rule.Builder rule =
        Rule.newBuilder().setSolver(solver).setPrecision(precision).setMsignSteps(msignSteps);
    if (solver == Solver.SOLVER_DUAL_ASCENT) {
      // Without a tolerance it runs to its end, as published, where rounding would let it stop.
      rule.getDualAscentBuilder().setTolerance(0);
    }
    if (iterations > 0) {
      rule.getDualAscentBuilder().setIterations(iterations);
    }
    return rule.build();
  }

  private Map<String, Tensor> gradients() {
    Map<String, Tensor> gradients = new HashMap<>();
    for (int i = 0; i < shape.parameters().size(); i++) {
      List<Long> dimensions = shape.parameters().get(i);
      gradients.put(
          shape.name(i), gaussian(dimensions.stream().mapToLong(Long::longValue).toArray()));
    }
    return gradients;
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
