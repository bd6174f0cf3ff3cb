package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.client.ModelHandle;
import io.muond.client.OpenStep;
import io.muond.client.ReadOptions;
import io.muond.client.StepOptions;
import io.muond.client.StepResult;
import io.muond.client.Tensor;
import io.muond.client.Weights;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.ErrorReason;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Crashes, and what others do to a model, as users of the Java library see them. */
class ReplayTest extends ReplayFixture {
  @ParameterizedTest
  @ValueSource(longs = {1, 4})
  void aCrashIsNotSeen(long every) {
    try (ModelHandle model = client.createModel(every(every).build())) {
      for (long crash : new long[] {3, 6, 8, 9}) {
        steps(model, crash);
        crash();
      }
      steps(model, 11);
      assertUntouched(model, 11);
    }
  }

  @Test
  void readingBringsBackWhatACrashHasUndone() {
    try (ModelHandle model = client.createModel(every(4).build())) {
      steps(model, 7);
      crash();
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(4);
      assertUntouched(model, 7);
      crash();
      assertThat(model.readWeights(ReadOptions.ALL.withStep(7)).step()).isEqualTo(7);
      crash();
      assertThat(model.refresh().getCommittedStep()).isEqualTo(7);
      assertUntouched(model, 7);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 4})
  void theNewestCheckpointMayBeDamagedAtEveryCrash(long every) throws IOException {
    try (ModelHandle model = client.createModel(every(every).build())) {
      // Until step 4 there is one checkpoint only.
      for (long crash = 5; crash <= 11; crash += 2) {
        steps(model, crash);
        flipNewest();
        crash();
      }
      assertUntouched(model, 11);
    }
  }

  @Test
  void aStepWhoseCheckpointHasNoManifestAnyMoreIsSentAgain() throws IOException {
    try (ModelHandle model = client.createModel(every(1).build())) {
      steps(model, 3);
      String newest = client.listCheckpoints("m").get(0).getCheckpoint();
      Files.delete(directory.resolve("models/m/checkpoints/" + newest + "/manifest.json"));
      crash();
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(2);
      assertThat(client.getModel("m").getIncarnation())
          .isEqualTo(model.description().getIncarnation());
      assertUntouched(model, 3);
      steps(model, 5);
      assertUntouched(model, 5);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 4})
  void anOpenStepGoesOnWhereverTheCrashComes(long every) {
    try (ModelHandle model = client.createModel(every(every).build())) {
      for (int at = 0; at < 5; at++) {
        steps(model, model.nextStep());
        StepResult result = crashDuring(model, at);
        assertThat(result.report().getStep()).isEqualTo(model.nextStep() - 1);
      }
      assertUntouched(model, 10);
      crash();
      assertUntouched(model, 10);
    }
  }

  /**
   * @param at before which part of the step the crash comes
   */
  private StepResult crashDuring(ModelHandle model, int at) {
    Map<String, Tensor> gradients = gradients(model.nextStep());
    Runnable[] parts = new Runnable[4];
    OpenStep[] step = new OpenStep[1];
    StepResult[] result = new StepResult[1];
    parts[0] = () -> step[0] = model.openStep();
    parts[1] = () -> step[0].fill(Map.of("w", gradients.get("w")));
    parts[2] = () -> step[0].fill(Map.of("v", gradients.get("v")));
    parts[3] = () -> result[0] = step[0].commit(StepOptions.learningRate(0.25));
    for (int i = 0; i < parts.length; i++) {
      if (i == at) {
        crash();
      }
      parts[i].run();
    }
    return result[0];
  }

  @Test
  void twoFillsAtATimeMeetOneCrash() {
    try (ModelHandle model = client.createModel(every(4).build())) {
      steps(model, 6);
      OpenStep step = model.openStep();
      crash();
      Map<String, Tensor> gradients = gradients(7);
      CompletableFuture<?> first = step.fillAsync(Map.of("w", gradients.get("w")));
      CompletableFuture<?> second = step.fillAsync(Map.of("v", gradients.get("v")));
      first.join();
      second.join();
      step.commit(StepOptions.learningRate(0.25));
      assertUntouched(model, 7);
    }
  }

  @Test
  void anAbortedStepStaysAborted() {
    try (ModelHandle model = client.createModel(every(4).build())) {
      OpenStep step = model.openStep();
      step.fill(Map.of("w", w));
      step.abort();
      assertThatThrownBy(() -> step.fill(Map.of("v", v))).satisfies(is(ErrorReason.STEP_NOT_OPEN));
    }
  }

  @Test
  void whatSomebodyRestoresIsNotUndone() {
    try (ModelHandle model = client.createModel(every(2).build())) {
      steps(model, 5);
      client.restoreCheckpoint("m", client.listCheckpoints("m").get(1).getCheckpoint());
      assertThatThrownBy(() -> step(model)).satisfies(is(ErrorReason.MODEL_REWOUND));
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(2);
      // It stays so after a crash.
      crash();
      assertThatThrownBy(() -> step(model)).satisfies(is(ErrorReason.MODEL_REWOUND));
      assertThat(model.readWeights().step()).isEqualTo(2);
      assertThat(model.refresh().getCommittedStep()).isEqualTo(2);
      steps(model, 5);
      crash();
      assertUntouched(model, 5);
    }
  }

  @Test
  void aModelThatSomebodySteppedAfterTheCrashIsLeftToThem() {
    try (ModelHandle model = client.createModel(every(4).build());
        ModelHandle other = client.openModel("m")) {
      steps(model, 6);
      crash();
      other.refresh();
      other.step(gradients(99), 0.25);
      assertThatThrownBy(() -> step(model)).satisfies(is(ErrorReason.MODEL_REWOUND));
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(5);
    }
  }

  @Test
  void everyWorkerSendsItsPartAgain() {
    CreateModelRequest request = every(3).addWorkers("a").addWorkers("b").build();
    try (ModelHandle model = client.createModel(request);
        ModelHandle a = model.asWorker("a", 0.5);
        ModelHandle b = model.asWorker("b", 0.5)) {
      for (int step = 1; step <= 8; step++) {
        stepBoth(a, b);
        if (step % 2 == 1) {
          crash();
        }
      }
      Weights weights = a.readWeights();
      assertThat(weights.step()).isEqualTo(8);
      try (ModelHandle twin = client.createModel(small("twin").build())) {
        steps(twin, 8);
        // Two halves of the same gradient make the gradient, exactly.
        assertThat(values(weights)).isEqualTo(values(twin.readWeights()));
      }
    }
  }

  private void stepBoth(ModelHandle a, ModelHandle b) {
    Map<String, Tensor> same = gradients(a.nextStep());
    StepOptions options = StepOptions.learningRate(0.25);
    CompletableFuture<StepResult> first = a.stepAsync(same, options);
    CompletableFuture<StepResult> second = b.stepAsync(same, options);
    assertThat(first.join().report()).isEqualTo(second.join().report());
  }

  @Test
  void weightsAreReadWhileStepsGoOn() {
    try (ModelHandle model = client.createModel(every(4).build())) {
      Thread steps = new Thread(() -> steps(model, 300));
      steps.start();
      long last = 0;
      while (steps.isAlive()) {
        long least = model.nextStep() - 1;
        long read = model.readWeights().step();
        assertThat(read).isGreaterThanOrEqualTo(Math.max(least, last));
        last = read;
        if (read % 16 == 0) {
          crash();
        }
      }
      assertUntouched(model, 300);
    }
  }
}
