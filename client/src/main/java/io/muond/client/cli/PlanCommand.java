package io.muond.client.cli;

import io.muond.modular.PlannedTree;
import io.muond.modular.Planner;
import io.muond.v1.Module;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code muond plan}: what the composition rules make of a module tree. Needs no server. */
@Command(
    name = "plan",
    description =
        "Shows masses, sensitivities, learning-rate multipliers and bounds of a module tree.",
    mixinStandardHelpOptions = true)
final class PlanCommand implements Callable<Integer> {
  @Mixin private ModuleFile module = new ModuleFile();

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    Module tree = module.read();
    PlannedTree planned = Planner.read(tree);
    Main.console(spec)
        .out()
        .print(
            json
                ? Json.text(Json.plan(planned.plan())) + "\n"
                : PlanTable.of(planned.plan(), planned.parameters()));
    return 0;
  }
}
