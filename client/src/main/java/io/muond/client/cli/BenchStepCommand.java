package io.muond.client.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.muond.client.MuondClient;
import io.muond.client.Progress;
import io.muond.v1.Solver;
import java.io.IOException;
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
      description = "The weights' shapes. Default: ${DEFAULT-VALUE}.")
  private List<String> shapes;

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
      names = "--msign-steps",
      paramLabel = "N",
      description = "Iterations of msign. Default: the server's.")
  private Integer msignSteps;

  @Override
  void check() {
    if (shapes.isEmpty() || solvers.isEmpty()) {
      throw new IllegalArgumentException(
          "%s: none (expected: at least one)"
              .formatted(shapes.isEmpty() ? "--shapes" : "--solvers"));
    }
    shapes.forEach(BenchCase::parseShape);
    solvers.forEach(word -> Choices.SOLVER.parse("--solvers", word));
    requirePositive("--repeats", repeats);
    ModelArguments.requireMsignSteps(msignSteps);
  }

  @Override
  void run(MuondClient client) throws IOException {
    String engine = client.serverInfo().getEngine();
    double gemm = client.measureGemm(GEMM_SIZE);
    List<BenchCase> cases = cases();
    List<BenchResult> results = new ArrayList<>();
    try (Progress progress = console().progress("measuring", cases.size(), "cases")) {
      for (BenchCase each : cases) {
        measuring("--shapes: " + BenchCase.size(each.shape()));
        results.add(each.measure(client, console()));
        progress.update(results.size(), each.label());
      }
    }
    if (json()) {
      console().out().println(Json.text(json(client.target(), engine, gemm, results)));
    } else {
      print(client.target(), engine, gemm, results);
    }
  }

  private List<BenchCase> cases() {
    List<BenchCase> cases = new ArrayList<>();
    int steps = msignSteps == null ? 0 : msignSteps;
    for (String shape : shapes) {
      List<Long> size = BenchCase.parseShape(shape);
      for (String word : solvers) {
        Solver solver = Choices.SOLVER.parse("--solvers", word);
        cases.add(new BenchCase(size, solver, steps, repeats, 0));
        // At even m = n the first iterate of dual ascent is optimal already.
        if (solver == Solver.SOLVER_DUAL_ASCENT && size.get(0).equals(size.get(1))) {
          cases.add(new BenchCase(size, solver, steps, repeats, 1));
        }
      }
    }
    return cases;
  }

  private static JsonObject json(
      String server, String engine, double gemm, List<BenchResult> results) {
    JsonObject json = new JsonObject();
    json.addProperty("server", server);
    json.addProperty("engine", engine);
    json.add("gemm_gflops", Json.number(gemm / GIGA));
    JsonArray array = new JsonArray();
    for (BenchResult result : results) {
      JsonObject entry = new JsonObject();
      entry.add("shape", Json.numbers(result.shape()));
      entry.addProperty("solver", result.solver());
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

  private void print(String server, String engine, double gemm, List<BenchResult> results) {
    console()
        .out()
        .printf(
            Locale.ROOT,
            "%s, engine %s, float32 matrix products of %d: %.4g GFLOP/s%n",
            server,
            engine,
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
          BenchCase.size(result.shape()),
          result.solver(),
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
