package io.muond.quickstart.gpt;

import io.muond.client.MuondClient;
import io.muond.client.Progress;
import io.muond.quickstart.Daemon;
import io.muond.quickstart.gpt.GptShape.Stretches;
import io.muond.v1.Schedule;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleFunction;

/**
 * Trains a character-level GPT on a server at several learning rates, with its matrices under
 * manifold Muon and again with everything under AdamW: on the same pieces of text, each from
 * initial weights of its own and at its best. Prints a table and draws a picture.
 */
public final class GptExample {
  // See the module's README.md for how the settings were chosen.
  private static final int WIDTH = 128;
  private static final int BLOCKS = 4;
  private static final int HEADS = 4;
  private static final int CONTEXT = 64;
  private static final int BATCH = 16;
  private static final List<Double> MANIFOLD_RATES = List.of(0.025, 0.05, 0.1, 0.2, 0.4, 0.8);
  private static final List<Double> ADAMW_RATES =
      List.of(0.004, 0.008, 0.016, 0.023, 0.032, 0.045, 0.064);
  private static final long SEED = 1;
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Text text;
  private final int steps;
  private final PrintStream out;

  private GptExample(Text text, int steps, PrintStream out) {
    this.text = text;
    this.steps = steps;
    this.out = out;
  }

  /**
   * Runs the example.
   *
   * @param args the server's jar, the PNG to write, and the number of steps
   */
  public static void main(String[] args) {
    System.exit(run(args));
  }

  private static int run(String[] args) {
    if (args.length != 3) {
      System.err.println(
          "gpt: %d arguments (expected: SERVER_JAR PNG STEPS)".formatted(args.length));
      return 1;
    }
    try {
      new GptExample(Text.load(), Integer.parseInt(args[2]), System.out)
          .compare(Path.of(args[0]), Path.of(args[1]));
      return 0;
    } catch (IOException | InterruptedException | RuntimeException e) {
      System.err.println("gpt: " + e.getMessage());
      return 1;
    }
  }

  private void compare(Path serverJar, Path picture) throws IOException, InterruptedException {
    out.println(
        String.format(
            Locale.ROOT,
            "GPT: %d blocks, width %d, %d heads, %d characters of context, %,d weights; %d steps of"
                + " %d x %d characters",
            BLOCKS,
            WIDTH,
            HEADS,
            CONTEXT,
            shape(Stretches.FREE).weights().values().stream()
                .mapToInt(w -> w.rows() * w.columns())
                .sum(),
            steps,
            BATCH,
            CONTEXT));
    List<Sweep> sweeps = new ArrayList<>();
    try (Daemon daemon = Daemon.start(serverJar, PATIENCE)) {
      out.println("server: process %d at %s".formatted(daemon.pid(), daemon.address()));
      try (MuondClient client = MuondClient.connect(daemon.address())) {
        sweeps.add(onManifolds(client));
        sweeps.add(underAdamW(client));
      }
      daemon.stop(PATIENCE);
    }
    out.println();
    new GptReport(sweeps).lines().forEach(out::println);
    GptPlot.write(picture, sweeps);
    out.println();
    out.println(picture.toAbsolutePath().normalize());
  }

  private GptShape shape(Stretches stretches) {
    return new GptShape(text.vocabulary(), WIDTH, BLOCKS, HEADS, CONTEXT, stretches);
  }

  private Sweep onManifolds(MuondClient client) {
    GptShape shape = shape(Stretches.CONSTRAINED);
    return sweep(
        "manifold Muon",
        shape,
        MANIFOLD_RATES,
        rate -> ServerWeights.onManifolds(client, shape, schedule(rate), SEED));
  }

  private Sweep underAdamW(MuondClient client) {
    GptShape shape = shape(Stretches.FREE);
    Map<String, Mat> start = ServerWeights.drawn(client, shape, SEED);
    return sweep(
        "AdamW",
        shape,
        ADAMW_RATES,
        rate -> ServerWeights.underAdamW(client, shape, start, schedule(rate)));
  }

  private Sweep sweep(
      String name, GptShape shape, List<Double> rates, DoubleFunction<ServerWeights> weightsAt) {
    Trainer trainer = new Trainer(text, shape, BATCH, steps, SEED);
    List<Run> runs = new ArrayList<>();
    try (Progress progress = new Progress(name, (long) rates.size() * steps, "steps")) {
      for (double rate : rates) {
        long before = (long) runs.size() * steps;
        try (ServerWeights weights = weightsAt.apply(rate)) {
          runs.add(
              trainer.run(
                  rate,
                  weights,
                  (step, loss) ->
                      progress.update(
                          before + step,
                          String.format(Locale.ROOT, "rate %s, loss %.3f", rate, loss))));
        }
      }
    }
    return new Sweep(name, shape, runs);
  }

  private Schedule schedule(double rate) {
    return Schedule.newBuilder()
        .setLearningRate(rate)
        .setWarmupSteps(steps / 10)
        .setShape(Schedule.Shape.SHAPE_LINEAR)
        .setTotalSteps(steps)
        .build();
  }
}
