package io.muond.client.cli;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.Logger;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The entry point of the command line. */
@Command(
    name = "muond",
    description = "Steps weights on a muond server.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    subcommands = {
      StepCommand.class,
      PlanCommand.class,
      ModelCommand.class,
      WeightsCommand.class,
      CheckpointCommand.class,
      StatusCommand.class,
      InspectCommand.class,
      BenchCommand.class,
      CommandLine.HelpCommand.class
    })
public final class Main implements Runnable {
  private final Console console;

  @Spec private CommandSpec spec;

  private Main(Console console) {
    this.console = console;
  }

  /** Runs a command and exits with its status. */
  public static void main(String[] args) {
    System.exit(run(args, Console.standard()));
  }

  /**
   * Runs a command; what it writes is UTF-8.
   *
   * @return 0 on success; 1 after an error, which is one line on {@code err}
   */
  public static int run(String[] args, PrintStream out, PrintStream err) {
    return run(args, new Console(out, err, StandardCharsets.UTF_8, false));
  }

  private static int run(String[] args, Console console) {
    silenceLogging();
    ErrorLine errors = new ErrorLine(console);
    CommandLine command = new CommandLine(new Main(console));
    Numbers.register(command);
    int status =
        command
            .setExpandAtFiles(false)
            .setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8))
            .setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8))
            .setParameterExceptionHandler(errors)
            .setExecutionExceptionHandler(errors)
            .execute(args);
    if (status == 0 && console.out().checkError()) {
      console.err().println("muond: results: cannot be written (expected: a standard output)");
      return 1;
    }
    return status;
  }

  /** The transport logs what it also reports as a status; one line of it is enough. */
  private static void silenceLogging() {
    Logger root = LogManager.getLogManager().getLogger("");
    if (root != null) {
      root.setLevel(Level.OFF);
    }
  }

  static Console console(CommandSpec spec) {
    return ((Main) spec.root().userObject()).console;
  }

  @Override
  public void run() {
    throw Group.missing(spec);
  }
}
