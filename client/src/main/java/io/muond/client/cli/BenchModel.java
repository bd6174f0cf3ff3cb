package io.muond.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.Duration;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterReport;
import io.muond.v1.ReportDetail;
import io.muond.v1.Rule;
import io.muond.v1.Solver;
import io.muond.v1.StepReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Steps of a whole model, all parameters in one call, on gaussian gradients that are always the
 * same.
 *
 * @param module its tree
 * @param rule of the weights whose rule says nothing
 * @param repeats timed steps
 */
record BenchModel(Module module, Rule rule, int repeats) {
  private static final double LEARNING_RATE = 0.01;
  private static final long SEED = 1;

  /** What is stepped alike: manifold, norm and, where there is a choice, solver. */
  record Kind(String manifold, String norm, String solver) {
    private static Kind of(Parameter piece) {
      Solver solver = piece.getRule().getSolver();
      return new Kind(
          Choices.MANIFOLD.name(piece.getManifold()),
          piece.getRule().getFrozen() ? "frozen" : Choices.NORM.name(piece.getNorm()),
          solver == Solver.SOLVER_UNSPECIFIED ? null : Choices.SOLVER.name(solver));
    }
  }

  /**
   * What steps took of one kind.
   *
   * @param parameters how many there are, ranges one by one
   * @param batches in which they are stepped
   * @param seconds of all batches together, the median of the steps
   * @param operations floating-point operations of products, in one step
   */
  record Share(int parameters, int batches, double seconds, double operations) {}

  /**
   * What steps took.
   *
   * @param seconds of a step, from the last gradient's arrival to the commit; the median
   */
  record Result(int parameters, double seconds, Map<Kind, Share> shares) {
    JsonObject json() {
      JsonObject json = new JsonObject();
      json.addProperty("parameters", parameters);
      json.add("seconds", Json.number(seconds));
      JsonArray rules = new JsonArray();
      shares.forEach(
          (kind, share) -> {
            JsonObject entry = new JsonObject();
            entry.addProperty("manifold", kind.manifold());
            entry.addProperty("norm", kind.norm());
            entry.addProperty("solver", kind.solver());
            entry.addProperty("parameters", share.parameters());
            entry.addProperty("batches", share.batches());
            entry.add("seconds", Json.number(share.seconds()));
            entry.add("floating_point_operations", Json.number(share.operations()));
            rules.add(entry);
          });
      json.add("rules", rules);
      return json;
    }

    Table table() {
      Table table = new Table("manifold", "norm", "solver", "parameters", "batches", "ms", "GFLOP");
      shares.forEach(
          (kind, share) ->
              table.row(
                  kind.manifold(),
                  kind.norm(),
                  kind.solver() == null ? "" : kind.solver(),
                  share.parameters(),
                  share.batches(),
                  share.seconds() * 1e3,
                  share.operations() / 1e9));
      table.row("step", "", "", parameters, "", seconds * 1e3, "");
      return table;
    }
  }

  Result measure(MuondClient client, Console console) throws IOException {
    return LeasedModel.use(client, this::request, console, this::measure);
  }

  private CreateModelRequest request(String name, Duration lease) {
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setModule(module)
        .setDefaultRule(rule)
        .setSeed(SEED)
        .setLeaseTtl(lease)
        .build();
  }

  private Result measure(ModelHandle model) {
    List<Parameter> pieces = new ArrayList<>();
    Map<String, Tensor> gradients = new HashMap<>();
    for (Parameter parameter : model.parameters()) {
      pieces.addAll(Pieces.of(parameter));
      if (!Pieces.areFrozen(parameter)) {
        long[] shape = parameter.getShapeList().stream().mapToLong(Long::longValue).toArray();
        gradients.put(parameter.getName(), BenchCase.gaussian(shape));
      }
    }
    StepOptions options =
        StepOptions.learningRate(LEARNING_RATE).withReportDetail(ReportDetail.REPORT_DETAIL_BASIC);
    for (int i = 0; i < BenchCase.WARM_UP; i++) {
      model.step(gradients, options);
    }
    List<StepReport> timed = new ArrayList<>();
    for (int i = 0; i < repeats; i++) {
      timed.add(model.step(gradients, options).report());
    }
    Map<Kind, Share> shares = new LinkedHashMap<>();
    pieces.stream().map(Kind::of).distinct().forEach(k -> shares.put(k, share(k, pieces, timed)));
    double seconds = Statistics.median(timed.stream().map(StepReport::getSeconds).toList());
    return new Result(model.parameters().size(), seconds, shares);
  }

  /** Those of one batch tell the same seconds: the batch's. */
  private static Share share(Kind kind, List<Parameter> pieces, List<StepReport> timed) {
    List<Double> seconds = new ArrayList<>();
    Set<List<Integer>> batches = new HashSet<>();
    int count = 0;
    double operations = 0;
    for (StepReport report : timed) {
      batches.clear();
      count = 0;
      operations = 0;
      double sum = 0;
      for (int i = 0; i < pieces.size(); i++) {
        ParameterReport piece = report.getParameters(i);
        if (Kind.of(pieces.get(i)).equals(kind)) {
          count++;
          operations += piece.getFloatingPointOperations();
          sum += batches.add(List.of(piece.getDevice(), piece.getBatch())) ? piece.getSeconds() : 0;
        }
      }
      seconds.add(sum);
    }
    return new Share(count, batches.size(), Statistics.median(seconds), operations);
  }
}
