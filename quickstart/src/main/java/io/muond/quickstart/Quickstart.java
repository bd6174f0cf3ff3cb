package io.muond.quickstart;

import io.muond.client.Progress;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Trains a classifier of handwritten digits twice: with its weights on a server that applies
 * manifold Muon, and with AdamW, from the same start, on the same batches. It does so on several
 * splits of the images, since one test image is 0.28 % of a split's; prints a table of means and
 * draws a picture.
 */
public final class Quickstart {
  // The settings were chosen by sweeps over 16 seeds, with equal care for both optimizers; see this
  // module's README.md.
  private static final Mlp NETWORK = new Mlp(List.of(Digits.PIXELS, 128, 64, Digits.CLASSES), 8);
  private static final int EPOCHS = 8;
  private static final int BATCH = 64;
  private static final double MUON_LEARNING_RATE = 0.05;
  private static final double MUON_MOMENTUM = 0.9;
  private static final double ADAMW_LEARNING_RATE = 0.015;
  private static final double ADAMW_WEIGHT_DECAY = 1;

  /** What the quickstart promises of manifold Muon. */
  private static final double LEAST_ACCURACY = 0.97;

  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final List<Training> trainings;
  private final PrintStream out;

  private Quickstart(int splits, PrintStream out) throws IOException {
    List<Training> all = new ArrayList<>();
    for (long seed = 0; seed < splits; seed++) {
      all.add(new Training(NETWORK, Digits.load(seed), EPOCHS, BATCH, seed));
    }
    this.trainings = List.copyOf(all);
    this.out = out;
  }

  /**
   * Runs the quickstart.
   *
   * @param args the server's jar, the PNG to write, and the number of splits: seeds 0, 1, … of the
   *     split, the initial weights and the order of the images
   */
  public static void main(String[] args) {
    System.exit(run(args));
  }

  private static int run(String[] args) {
    if (args.length != 3) {
      System.err.println(
          "quickstart: %d arguments (expected: SERVER_JAR PNG SPLITS)".formatted(args.length));
      return 1;
    }
    try {
      Path picture = Path.of(args[1]);
      new Quickstart(Integer.parseInt(args[2]), System.out).compare(Path.of(args[0]), picture);
      return 0;
    } catch (IOException | InterruptedException | RuntimeException e) {
      System.err.println("quickstart: " + e.getMessage());
      return 1;
    }
  }

  private void compare(Path serverJar, Path picture) throws IOException, InterruptedException {
    describe();
    List<Outcome> muon = new ArrayList<>();
    List<Outcome> adamW = new ArrayList<>();
    train(serverJar, muon, adamW);
    List<Outcome> outcomes = List.of(Outcome.mean(muon), Outcome.mean(adamW));
    List<Spectrum> spectra = List.of(spectrum(muon), spectrum(adamW));
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

  private static Spectrum spectrum(List<Outcome> runs) {
    return Spectrum.mean(runs.stream().map(run -> Spectrum.of(NETWORK, run.weights())).toList());
  }

  private void describe() {
    Training first = trainings.get(0);
    out.println(
        String.format(
            Locale.ROOT,
            "UCI handwritten digits: %,d images to train, %,d to test; means over %d random splits",
            first.digits().training().count(),
            first.digits().test().count(),
            trainings.size()));
    out.println(
        String.format(
            Locale.ROOT,
            "MLP %s, %d epochs of batch %d, %d steps",
            String.join("-", NETWORK.sizes().stream().map(String::valueOf).toList()),
            EPOCHS,
            BATCH,
            first.steps()));
  }

  private void train(Path serverJar, List<Outcome> muonRuns, List<Outcome> adamWRuns)
      throws IOException, InterruptedException {
    int steps = trainings.size() * trainings.get(0).steps();
    try (Daemon daemon = Daemon.start(serverJar, PATIENCE)) {
      out.println("server: process %d at %s".formatted(daemon.pid(), daemon.address()));
      out.println();
      List<List<Matrix>> starts = new ArrayList<>();
      try (Progress progress = new Progress("training, manifold Muon", steps, "steps")) {
        for (Training training : trainings) {
          try (ManifoldMuon muon =
              ManifoldMuon.create(daemon.address(), NETWORK, MUON_MOMENTUM, training.seed())) {
            starts.add(muon.weights());
            muonRuns.add(run("manifold Muon", training, muon, MUON_LEARNING_RATE, progress));
          }
        }
      }
      try (Progress progress = new Progress("training, AdamW", steps, "steps")) {
        for (int i = 0; i < trainings.size(); i++) {
          AdamW adamW = new AdamW(starts.get(i), ADAMW_WEIGHT_DECAY);
          adamWRuns.add(run("AdamW", trainings.get(i), adamW, ADAMW_LEARNING_RATE, progress));
        }
      }
      daemon.stop(PATIENCE);
    }
  }

  private static Outcome run(
      String name, Training training, Optimizer optimizer, double learningRate, Progress progress) {
    long before = training.seed() * training.steps();
    return training.run(
        name,
        optimizer,
        learningRate,
        (step, loss) ->
            progress.update(before + step, String.format(Locale.ROOT, "loss %.3f", loss)));
  }
}
