package io.muond.quickstart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A short training on a CUDA device beside the same one on the CPU. */
class CudaTrainingTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final String JAR = System.getProperty("muond.server.jar");
  private static final Mlp NETWORK = new Mlp(List.of(Digits.PIXELS, 128, 64, Digits.CLASSES), 8);

  private static Outcome train(Daemon daemon) throws IOException, InterruptedException {
    Training training = new Training(NETWORK, Digits.load(0), 1, 64, 0);
    try (ManifoldMuon muon = ManifoldMuon.create(daemon.address(), NETWORK, 0.9, 0)) {
      Outcome outcome = training.run("manifold Muon", muon, 0.05, (step, loss) -> {});
      daemon.stop(PATIENCE);
      return outcome;
    }
  }

  private static Daemon onCuda() throws IOException, InterruptedException {
    assumeTrue(JAR != null, "the server's jar is not named: mvn verify does");
    try {
      return Daemon.start(Path.of(JAR), "cuda", PATIENCE);
    } catch (IOException e) {
      if (!String.valueOf(e.getMessage()).contains("--engine: cuda, but")) {
        throw e;
      }
      System.out.println("Training on CUDA not tested: " + e.getMessage());
      return abort(e.getMessage());
    }
  }

  /** Absolutely: losses begin above 2 and end below 1. */
  @Test
  void losesAsOnTheCpu() throws IOException, InterruptedException {
    Outcome onCuda;
    try (Daemon daemon = onCuda()) {
      onCuda = train(daemon);
      assertThat(daemon.printed()).noneMatch(line -> line.startsWith("muond-emulator:"));
    }
    Outcome onCpu;
    try (Daemon daemon = Daemon.start(Path.of(JAR), PATIENCE)) {
      onCpu = train(daemon);
    }
    assertThat(onCpu.trainingLoss()).hasSize(23);
    for (int i = 0; i < 23; i++) {
      assertThat(onCuda.trainingLoss().get(i))
          .as("loss of step %d", i + 1)
          .isCloseTo(onCpu.trainingLoss().get(i), within(1e-3));
    }
    assertThat(onCuda.testLoss().get(0)).isCloseTo(onCpu.testLoss().get(0), within(1e-3));
    assertThat(onCpu.trainingLoss().get(22)).isLessThan(onCpu.trainingLoss().get(0) / 2);
  }
}
