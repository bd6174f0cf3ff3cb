package io.muond.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.muond.client.MuondClient;
import io.muond.client.Progress;
import io.muond.v1.GetServerInfoResponse;
import io.muond.v1.Module;
import io.muond.v1.Precision;
import io.muond.v1.Rule;
import io.muond.v1.Solver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code muond bench step}: time and quality of steps, by shape and solver. */
@Command(
    name = "step",
    description = "Times steps on the server, by shape and solver, beside its matrix products.")
final class BenchStepCommand extends MeasuringCommand {
  private static final int GEMM_SIZE = 2048;
  private static final double GIGA = 1e9;

  @Option(
      names = "--shapes",
      split = ",",
      paramLabel = "MxN",
      defaultValue = "512x512,1024x512,2048x512,4096x512",
      description =
          "The weights' shapes: MxN, a batch of matrices BxMxN, or the layers of a network joined"
              + " by +. Default: ${DEFAULT-VALUE}.")
  private List<String> shapes;

  @Option(
      names = "--model",
      paramLabel = "F",
      description =
          "A module tree as JSON, in place of shapes and solvers: times whole steps, and tells what"
              + " each kind of weight took.")
  private Path model;

  @Option(
      names = "--solvers",
      split = ",",
      paramLabel = "SOLVER",
      defaultValue = "exact,projected,dual-ascent,admm",
      description = "The solvers. Default: ${DEFAULT-VALUE}.")
  private List<String> solvers;

  @Option(
      names = "--repeats",
      defaultValue = "5",
      paramLabel = "N",
      description = "Timed steps; dual-ascent and admm get one. Default: ${DEFAULT-VALUE}.")
  private int repeats;

  @Option(
      names = "--precision",
      paramLabel = "PRECISION",
      defaultValue = "float32",
      description = "Of msign. Default: ${DEFAULT-VALUE}.")
  private String precision;

  @Option(
      names = "--msign-steps",
      paramLabel = "N",
      description = "Iterations of msign. Default: the server's.")
  private Integer msignSteps;

  private Module module;

  @Override
  void check() throws IOException {
    if (model != null) {
      refuseBesideModel("--shapes");
      refuseBesideModel("--solvers");
    }
    module = model == null ? null : ModuleFile.read("--model", model);
    if (shapes.isEmpty() || solvers.isEmpty()) {
      throw new IllegalArgumentException(
          "%s: none (expected: at least one)"
              .formatted(shapes.isEmpty() ? "--shapes" : "--solvers"));
    }
    shapes.forEach(BenchShape::parse);
    solvers.forEach(word -> Choices.SOLVER.parse("--solvers", word));
    Choices.PRECISION.parse(precision);
    requirePositive("--repeats", repeats);
    ModelArguments.requireMsignSteps(msignSteps);
  }

  private void refuseBesideModel(String option) {
    if (given(option)) {
      throw new IllegalArgumentException(
          "%s: given (expected: not together with --model, which says what is stepped)"
              .formatted(option));
    }
  }

  @Override
  void run(MuondClient client) throws IOException {
    GetServerInfoResponse info = client.serverInfo();
    if (module != null) {
      run(client, info);
      return;
    }
    double gemm = client.measureGemm(GEMM_SIZE);
    List<BenchCase> cases = cases();
    List<BenchResult> results = new ArrayList<>();
    try (Progress progress = console().progress("measuring", cases.size(), "cases")) {
      for (BenchCase each : cases) {
        measuring("--shapes: " + each.shape().text());
        results.add(each.measure(client, console()));
        progress.update(results.size(), each.label());
      }
    }
    if (json()) {
      console().out().println(Json.text(json(client.target(), info, gemm, results)));
    } else {
      print(client.target(), info, gemm, results);
    }
  }

  private void run(MuondClient client, GetServerInfoResponse info) throws IOException {
    measuring("--model: " + model);
    Rule rule =
        Rule.newBuilder()
            .setPrecision(Choices.PRECISION.parse(precision))
            .setMsignSteps(msignSteps == null ? 0 : msignSteps)
            .build();
    BenchModel.Result result = new BenchModel(module, rule, repeats).measure(client, console());
    if (json()) {
      JsonObject json = engine(client.target(), info);
      json.addProperty("model", model.toString());
      result.json().entrySet().forEach(entry -> json.add(entry.getKey(), entry.getValue()));
      console().out().println(Json.text(json));
    } else {
      console().out().printf(Locale.ROOT, "%s, engine %s%n", client.target(), info.getEngine());
      console().out().print(result.table());
    }
  }

  private static JsonObject engine(String server, GetServerInfoResponse info) {
    JsonObject json = new JsonObject();
    json.addProperty("server", server);
    json.addProperty("engine", info.getEngine());
    JsonArray devices = new JsonArray();
    info.getDevicesList().forEach(device -> devices.add(device.getName()));
    json.add("devices", devices);
    return json;
  }

  private List<BenchCase> cases() {
    List<BenchCase> cases = new ArrayList<>();
    int steps = msignSteps == null ? 0 : msignSteps;
    Precision msign = Choices.PRECISION.parse(precision);
    for (String shape : shapes) {
      BenchShape weights = BenchShape.parse(shape);
      for (String word : solvers) {
        Solver solver = Choices.SOLVER.parse("--solvers", word);
        cases.add(new BenchCase(weights, solver, msign, steps, repeats, 0));
        // At even m = n the first iterate of dual ascent is optimal already.
        if (solver == Solver.SOLVER_DUAL_ASCENT && weights.isSquare()) {
          cases.add(new BenchCase(weights, solver, msign, steps, repeats, 1));
        }
      }
    }
    return cases;
  }

  private static JsonObject json(
      String server, GetServerInfoResponse info, double gemm, List<BenchResult> results) {
    JsonObject json = engine(server, info);
    json.add("gemm_gflops", Json.number(gemm / GIGA));
    JsonArray array = new JsonArray();
    for (BenchResult result : results) {
      JsonObject entry = new JsonObject();
      entry.addProperty("case", result.of().shape().text());
      entry.add("shapes", result.of().shape().json());
      entry.addProperty("solver", result.of().label());
      entry.addProperty("precision", Choices.PRECISION.name(result.of().precision()));
      entry.addProperty("msign_steps", result.msignSteps());
      entry.addProperty("iterations", result.iterations());
      entry.add("seconds", Json.number(result.seconds()));
      entry.add("floating_point_operations", Json.number(result.operations()));
      entry.add("gflops", Json.number(result.operationsPerSecond() / GIGA));
      entry.add("share_of_gemm", Json.number(result.operationsPerSecond() / gemm));
      entry.add("feasible_objective_over_optimum", Json.number(result.quality()));
      entry.add("tangency_rms", Json.number(result.tangency()));
      array.add(entry);
    }
    json.add("results", array);
    return json;
  }

  private void print(
      String server, GetServerInfoResponse info, double gemm, List<BenchResult> results) {
    console()
        .out()
        .printf(
            Locale.ROOT,
            "%s, engine %s, float32 matrix products of %d: %.4g GFLOP/s%n",
            server,
            info.getEngine(),
            GEMM_SIZE,
            gemm / GIGA);
    Table table =
        new Table(
            "shape",
            "solver",
            "iterations",
            "ms",
            "GFLOP",
            "GFLOP/s",
            "of GEMM",
            "of optimum",
            "tangency");
    for (BenchResult result : results) {
      table.row(
          result.of().shape().text(),
          result.of().label(),
          result.iterations(),
          result.seconds() * 1e3,
          result.operations() / GIGA,
          result.operationsPerSecond() / GIGA,
          result.operationsPerSecond() / gemm,
          result.quality(),
          result.tangency());
    }
    console().out().print(table);
  }
}
