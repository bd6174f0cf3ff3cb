package io.muond.quickstart;

import io.muond.client.Progress;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * Trains a classifier of handwritten digits twice: with its weights on a server that applies
 * manifold Muon, and with AdamW, from the same start, on the same batches. Prints a table and draws
 * a picture.
 */
public final class Quickstart {
  // The settings were chosen by sweeps over 16 seeds, with equal care for both optimizers; see this
  // module's README.md.
  private static final Mlp NETWORK = new Mlp(List.of(Digits.PIXELS, 128, 64, Digits.CLASSES), 8);
  private static final int EPOCHS = 8;
  private static final int BATCH = 64;
  private static final double MUON_LEARNING_RATE = 0.05;
  private static final double MUON_MOMENTUM = 0.9;
  private static final double ADAMW_LEARNING_RATE = 0.01;
  private static final double ADAMW_WEIGHT_DECAY = 1;

  /** What the quickstart promises of manifold Muon. */
  private static final double LEAST_ACCURACY = 0.97;

  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Training training;
  private final long seed;
  private final PrintStream out;

  private Quickstart(long seed, PrintStream out) throws IOException {
    this.training = new Training(NETWORK, Digits.load(seed), EPOCHS, BATCH, seed);
    this.seed = seed;
    this.out = out;
  }

  /**
   * Runs the quickstart.
   *
   * @param args the server's jar, the PNG to write, and the seed of everything random
   */
  public static void main(String[] args) {
    System.exit(run(args));
  }

  private static int run(String[] args) {
    if (args.length != 3) {
      System.err.println(
          "quickstart: %d arguments (expected: SERVER_JAR PNG SEED)".formatted(args.length));
      return 1;
    }
    try {
      Path picture = Path.of(args[1]);
      new Quickstart(Long.parseLong(args[2]), System.out).compare(Path.of(args[0]), picture);
      return 0;
    } catch (IOException | InterruptedException | RuntimeException e) {
      System.err.println("quickstart: " + e.getMessage());
      return 1;
    }
  }

  private void compare(Path serverJar, Path picture) throws IOException, InterruptedException {
    describe();
    List<Outcome> outcomes = train(serverJar);
    List<Spectrum> spectra = outcomes.stream().map(o -> Spectrum.of(NETWORK, o.weights())).toList();
    out.println();
    out.println(Table.head());
    for (int i = 0; i < outcomes.size(); i++) {
      out.println(Table.row(outcomes.get(i), spectra.get(i)));
    }
    out.println();
    Plot.write(picture, outcomes, spectra);
    out.println(picture.toAbsolutePath().normalize());
    double accuracy = outcomes.get(0).accuracy();
    if (accuracy < LEAST_ACCURACY) {
      throw new IllegalStateException(
          "test accuracy: %s (expected: >= %s)".formatted(accuracy, LEAST_ACCURACY));
    }
  }

  private void describe() {
    Digits digits = training.digits();
    out.println(
        String.format(
            Locale.ROOT,
            "UCI handwritten digits: %,d images to train, %,d to test, split by seed %d",
            digits.training().count(),
            digits.test().count(),
            seed));
    out.println(
        String.format(
            Locale.ROOT,
            "MLP %s, %d epochs of batch %d, %d steps",
            String.join("-", NETWORK.sizes().stream().map(String::valueOf).toList()),
            EPOCHS,
            BATCH,
            training.steps()));
  }

  private List<Outcome> train(Path serverJar) throws IOException, InterruptedException {
    try (Daemon daemon = Daemon.start(serverJar, PATIENCE)) {
      out.println("server: process %d at %s".formatted(daemon.pid(), daemon.address()));
      out.println();
      List<Outcome> outcomes;
      try (ManifoldMuon muon =
          ManifoldMuon.create(daemon.address(), NETWORK, MUON_MOMENTUM, seed)) {
        AdamW adamW = new AdamW(muon.weights(), ADAMW_WEIGHT_DECAY);
        outcomes =
            List.of(
                train("manifold Muon", muon, MUON_LEARNING_RATE),
                train("AdamW", adamW, ADAMW_LEARNING_RATE));
      }
      daemon.stop(PATIENCE);
      return outcomes;
    }
  }

  private Outcome train(String name, Optimizer optimizer, double learningRate) {
    try (Progress progress = new Progress("training, " + name, training.steps(), "steps")) {
      return training.run(
          name,
          optimizer,
          learningRate,
          (step, loss) -> progress.update(step, String.format(Locale.ROOT, "loss %.3f", loss)));
    }
  }
}
