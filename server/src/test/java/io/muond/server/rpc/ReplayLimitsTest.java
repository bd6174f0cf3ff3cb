package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.client.ModelHandle;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.client.TensorData;
import io.muond.v1.Checkpoint;
import io.muond.v1.DataType;
import io.muond.v1.ErrorReason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How many steps the Java library keeps, and what it does where there is no room for more. */
class ReplayLimitsTest extends ReplayFixture {
  @Test
  void pastTheLimitACheckpointIsAskedFor() {
    limit(2 * STEP);
    try (ModelHandle model = client.createModel(every(100).build())) {
      steps(model, 2);
      assertThat(saved()).containsExactly(0L);
      steps(model, 4);
      assertThat(saved()).containsExactly(2L, 0L);
      steps(model, 7);
      assertThat(saved()).containsExactly(6L, 4L);
      crash();
      assertUntouched(model, 7);
    }
  }

  private List<Long> saved() {
    return client.listCheckpoints("m").stream().map(Checkpoint::getStep).toList();
  }

  @Test
  void aStepLargerThanTheLimitIsAnsweredOnceItIsDurable() {
    limit(STEP - 1);
    try (ModelHandle model = client.createModel(every(100).build())) {
      for (int i = 1; i <= 3; i++) {
        step(model);
        assertThat(saved().get(0)).isEqualTo(i);
        crash();
      }
      assertUntouched(model, 3);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 0})
  void withoutADiskTheLimitIsTheEndAndSaysWhatIsDurable(int less) throws IOException {
    limit(STEP - less);
    try (ModelHandle model = client.createModel(every(100).build())) {
      steps(model, 1 - less);
      Path checkpoints = directory.resolve("models/m/checkpoints");
      Path aside = directory.resolve("aside");
      Files.move(checkpoints, aside);
      Files.createFile(checkpoints);
      assertThatThrownBy(() -> step(model))
          .satisfies(is(ErrorReason.STORAGE_FAILED))
          .hasMessageContaining("the durable step 0")
          .hasMessageContaining("the replay limit of " + (STEP - less) + " bytes");
      assertThat(model.nextStep()).isEqualTo(2 - less);
      Files.delete(checkpoints);
      Files.move(aside, checkpoints);
      steps(model, 3);
      crash();
      assertUntouched(model, 3);
    }
  }

  @Test
  void withoutADataDirectoryTheLimitIsTheEnd() {
    limit(STEP);
    server.close();
    server = serve(Optional.empty());
    proxy.cut();
    proxy.setTarget(server.server().port());
    try (ModelHandle model = client.createModel(small("m").build())) {
      step(model);
      assertThatThrownBy(() -> step(model))
          .satisfies(is(ErrorReason.NO_DATA_DIRECTORY))
          .hasMessageContaining("since the first step")
          .hasMessageContaining("the replay limit of " + STEP + " bytes");
      assertThat(client.getModel("m").getCommittedStep()).isEqualTo(1);
    }
  }

  @Test
  void modelsSavedOnRequestAreReplayedIfThatWasAskedFor() {
    limit(1 << 20);
    try (ModelHandle model = client.createModel(small("m").build())) {
      steps(model, 2);
      client.saveCheckpoint("m");
      steps(model, 5);
      crash();
      assertUntouched(model, 5);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void withoutALogARollBackIsTold(boolean onRequest) {
    if (!onRequest) {
      limit(0);
    }
    try (ModelHandle model = client.createModel((onRequest ? small("m") : every(4)).build())) {
      steps(model, 4);
      client.saveCheckpoint("m");
      steps(model, 5);
      crash();
      assertThatThrownBy(() -> step(model)).satisfies(is(ErrorReason.MODEL_REWOUND));
      assertThat(model.readWeights().step()).isEqualTo(4);
      assertThat(model.refresh().getCommittedStep()).isEqualTo(4);
      steps(model, 6);
      assertUntouched(model, 6);
    }
  }

  @Test
  void aRollBackBeyondWhatIsKeptIsToldWithTheLimit() throws IOException {
    limit(4 * STEP);
    try (ModelHandle model = client.createModel(every(4).build())) {
      steps(model, 9);
      flipNewest();
      crash();
      assertThatThrownBy(() -> step(model))
          .satisfies(is(ErrorReason.MODEL_REWOUND))
          .hasMessageContaining("it went back to step 4")
          .hasMessageContaining("replay limit: " + 4 * STEP + " bytes");
    }
  }

  /** A copy that cannot be made is one for which there is no room. */
  @Test
  void aStepWhoseGradientsCannotBeReadTwiceIsMadeDurable() {
    try (ModelHandle model = client.createModel(every(4).build())) {
      Map<String, TensorData> gradients = new TreeMap<>(gradients(1));
      gradients.put("w", new ReadOnce(w));
      model.step(gradients, StepOptions.learningRate(0.25));
      assertThat(saved().get(0)).isEqualTo(1);
      crash();
      steps(model, 6);
      crash();
      assertUntouched(model, 6);
    }
  }

  /** A tensor like one that comes from a pipe. */
  private static final class ReadOnce implements TensorData {
    private final Tensor tensor;
    private boolean read;

    ReadOnce(Tensor tensor) {
      this.tensor = tensor;
    }

    @Override
    public long[] shape() {
      return tensor.shape();
    }

    @Override
    public DataType dataType() {
      return tensor.dataType();
    }

    @Override
    public long byteSize() {
      return tensor.byteSize();
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
      if (read) {
        throw new IOException("it has been read");
      }
      read = true;
      tensor.read(offset, into);
    }
  }

  @Test
  void aStepSaysWhatIsDurable() {
    try (ModelHandle model = client.createModel(every(2).build())) {
      assertThat(step(model).durableStep()).hasValue(0);
      assertThat(step(model).durableStep()).hasValue(2);
    }
    try (ModelHandle model = client.createModel(small("n").build())) {
      assertThat(model.step(gradients(1), 0.25).durableStep()).isEmpty();
    }
  }
}
