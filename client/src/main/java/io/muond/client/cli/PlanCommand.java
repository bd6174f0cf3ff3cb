package io.muond.client.cli;

import io.muond.modular.ModuleException;
import io.muond.modular.ModuleJson;
import io.muond.modular.Planner;
import io.muond.v1.Plan;
import io.muond.v1.PlannedAtom;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code muond plan}: what the composition rules make of a module tree. Needs no server. */
@Command(
    name = "plan",
    description = "Shows masses, sensitivities and learning-rate multipliers of a module tree.",
    mixinStandardHelpOptions = true)
final class PlanCommand implements Callable<Integer> {
  @Option(
      names = "--module",
      required = true,
      paramLabel = "TREE.json",
      description = "The module tree.")
  private Path module;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    Plan plan = plan();
    Main.console(spec).out().print(json ? Json.text(Json.plan(plan)) + "\n" : table(plan));
    return 0;
  }

  private Plan plan() throws IOException {
    if (Files.isDirectory(module)) {
      throw new IllegalArgumentException("--module: %s (expected: a file)".formatted(module));
    }
    try (Reader reader = Files.newBufferedReader(module, StandardCharsets.UTF_8)) {
      return Planner.plan(ModuleJson.parse(reader));
    } catch (ModuleException e) {
      throw new IllegalArgumentException(module + ": " + e.getMessage(), e);
    }
  }

  private static String table(Plan plan) {
    Table table = new Table("atom", "mass", "sensitivity", "learning rate multiplier");
    for (PlannedAtom atom : plan.getAtomsList()) {
      table.row(
          atom.getName(), atom.getMass(), atom.getSensitivity(), atom.getLearningRateMultiplier());
    }
    table.row("total", plan.getMass(), plan.getSensitivity(), "");
    return table.toString();
  }
}
