package io.muond.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.v1.CommitOptions;
import io.muond.v1.DataType;
import io.muond.v1.StepHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class ReplayLogTest {
  private static final int STEP = 40;
  private static final OptionalLong NONE = OptionalLong.empty();

  private static KeptStep kept(ReplayLog log, long number, int bytes) {
    Tensor gradient = Tensor.zeros(bytes / Float.BYTES);
    gradient.values()[0] = number;
    PendingStep pending = new PendingStep(log);
    pending.put(Map.of("w", gradient));
    return pending
        .committed(
            StepHeader.newBuilder().setStep(number).build(), CommitOptions.getDefaultInstance())
        .orElseThrow();
  }

  private static void add(ReplayLog log, long number) {
    assertThat(log.makeRoom(STEP)).isTrue();
    log.add(kept(log, number, STEP));
  }

  private static Optional<List<Long>> numbers(ReplayLog log, long first, long last) {
    return log.between(first, last).map(steps -> steps.stream().map(KeptStep::number).toList());
  }

  private static float first(KeptStep step) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(STEP).order(ByteOrder.LITTLE_ENDIAN);
    step.gradients().get("w").read(0, bytes);
    return bytes.getFloat(0);
  }

  @Example
  void stepsComeBackInOrderOrNotAtAll() throws IOException {
    ReplayLog log = new ReplayLog(1_000);
    for (int step = 3; step <= 7; step++) {
      add(log, step);
    }
    assertThat(numbers(log, 4, 6)).contains(List.of(4L, 5L, 6L));
    assertThat(numbers(log, 7, 7)).contains(List.of(7L));
    assertThat(numbers(log, 8, 7)).contains(List.of());
    assertThat(numbers(log, 2, 7)).isEmpty();
    assertThat(numbers(log, 4, 8)).isEmpty();
    for (KeptStep step : log.between(3, 7).orElseThrow()) {
      assertThat(first(step)).isEqualTo((float) step.number());
    }
  }

  @Example
  void stepsThatTwoCheckpointsHoldAreDropped() {
    ReplayLog log = new ReplayLog(1_000);
    for (int step = 1; step <= 6; step++) {
      add(log, step);
    }
    log.saved(OptionalLong.of(4), OptionalLong.of(2));
    assertThat(log.durableStep()).hasValue(4);
    assertThat(numbers(log, 3, 6)).isPresent();
    assertThat(numbers(log, 2, 6)).isEmpty();
    assertThat(log.bytes()).isEqualTo(4 * STEP);
    // There is nothing to fall back to: the newest has to do.
    log.saved(OptionalLong.of(4), NONE);
    assertThat(numbers(log, 4, 6)).isEmpty();
    assertThat(numbers(log, 5, 6)).isPresent();
    log.saved(NONE, NONE);
    assertThat(numbers(log, 5, 6)).isPresent();
  }

  @Example
  void onlyDurableStepsGiveWay() {
    ReplayLog log = new ReplayLog(3 * STEP);
    for (int step = 1; step <= 3; step++) {
      add(log, step);
    }
    assertThat(log.makeRoom(STEP)).isFalse();
    assertThat(numbers(log, 1, 3)).isPresent();
    log.saved(2);
    assertThat(numbers(log, 1, 3)).isPresent();
    assertThat(log.makeRoom(STEP)).isTrue();
    assertThat(numbers(log, 2, 3)).isPresent();
    assertThat(numbers(log, 1, 3)).isEmpty();
    assertThat(log.makeRoom(2 * STEP)).isTrue();
    assertThat(log.makeRoom(3 * STEP)).isFalse();
    assertThat(numbers(log, 3, 3)).isPresent();
    assertThat(log.makeRoom(4 * STEP)).isFalse();
  }

  @Example
  void whatComesBeforeAGapIsOfNoUse() {
    ReplayLog log = new ReplayLog(1_000);
    add(log, 1);
    add(log, 2);
    add(log, 4);
    assertThat(numbers(log, 1, 2)).isEmpty();
    assertThat(numbers(log, 4, 4)).isPresent();
    assertThat(log.bytes()).isEqualTo(STEP);
    log.clear();
    assertThat(log.bytes()).isZero();
    assertThat(numbers(log, 4, 4)).isEmpty();
  }

  /**
   * Whatever is told, the limit holds, and no step is missing after the newest one that two
   * checkpoints hold, or that has given way since the newest checkpoint holds it.
   */
  @Property
  void noStepThatACrashUndoesIsMissing(
      @ForAll @Size(max = 40) List<@IntRange(min = 0, max = 4) Integer> commands) {
    int limit = 5 * STEP;
    ReplayLog log = new ReplayLog(limit);
    long last = 0;
    long durable = 0;
    long fallback = 0;
    for (int command : commands) {
      if (command <= 2) {
        if (!log.makeRoom(STEP)) {
          assertThat(last - durable).isEqualTo(5);
          continue;
        }
        log.add(kept(log, ++last, STEP));
      } else {
        fallback = command == 3 ? durable : fallback;
        durable = last;
        log.saved(OptionalLong.of(durable), OptionalLong.of(fallback));
      }
      assertThat(log.bytes()).isLessThanOrEqualTo(limit);
      assertThat(numbers(log, durable + 1, last)).isPresent();
      assertThat(log.bytes()).isLessThanOrEqualTo((last - fallback) * STEP);
    }
  }

  @Example
  void memoryIsTakenOverFromDroppedSteps() {
    ReplayLog log = new ReplayLog(2 * STEP);
    add(log, 1);
    KeptStep before = log.between(1, 1).orElseThrow().get(0);
    log.saved(OptionalLong.of(1), OptionalLong.of(1));
    assertThat(log.bytes()).isZero();
    Map<String, CopiedTensor> used = log.takeUsed();
    assertThat(used.get("w")).isSameAs(before.gradients().get("w"));
    assertThat(log.takeUsed()).isEmpty();
  }

  @Example
  void aStepWhoseTensorsCannotBeReadIsNotKept() {
    PendingStep pending = new PendingStep(new ReplayLog(1_000));
    pending.put(Map.of("w", unreadable()));
    assertThat(pending.fits()).isTrue();
    assertThat(
            pending.committed(StepHeader.getDefaultInstance(), CommitOptions.getDefaultInstance()))
        .isEmpty();
  }

  private static TensorData unreadable() {
    return new TensorData() {
      @Override
      public long[] shape() {
        return new long[] {1};
      }

      @Override
      public DataType dataType() {
        return DataType.DATA_TYPE_FLOAT32;
      }

      @Override
      public long byteSize() {
        return 4;
      }

      @Override
      public void read(long offset, ByteBuffer into) throws IOException {
        throw new IOException("gone");
      }
    };
  }

  @Example
  void gradientsThatComeLaterAreCopiedToo() throws IOException {
    ReplayLog log = new ReplayLog(1_000);
    PendingStep pending = new PendingStep(log);
    Tensor first = Tensor.of(new float[] {1}, 1);
    Tensor second = Tensor.of(new float[] {2}, 1);
    pending.put(Map.of("a", first));
    pending.copy();
    pending.put(Map.of("b", second));
    assertThat(pending.gradients()).containsOnlyKeys("a", "b");
    KeptStep kept =
        pending
            .committed(StepHeader.getDefaultInstance(), CommitOptions.getDefaultInstance())
            .orElseThrow();
    first.values()[0] = 9;
    second.values()[0] = 9;
    assertThat(kept.gradients()).containsOnlyKeys("a", "b");
    assertThat(kept.bytes()).isEqualTo(8);
    Map<String, Float> values = new LinkedHashMap<>();
    for (Map.Entry<String, CopiedTensor> tensor : kept.gradients().entrySet()) {
      ByteBuffer bytes = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
      tensor.getValue().read(0, bytes);
      values.put(tensor.getKey(), bytes.getFloat(0));
    }
    assertThat(values).containsEntry("a", 1f).containsEntry("b", 2f);
  }

  @Example
  void aLimitIsPositive() {
    assertThatThrownBy(() -> new ReplayLog(0)).hasMessage("limit: 0 bytes (expected: >= 1)");
    assertThatThrownBy(() -> MuondClient.builder("127.0.0.1:1").replayLimit(-1))
        .hasMessage("replay limit: -1 bytes (expected: >= 0)");
  }
}
