package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.OpenStep;
import io.muond.client.StepOptions;
import io.muond.client.StepResult;
import io.muond.client.Tensor;
import io.muond.client.Weights;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.ErrorReason;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.Rule;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * Somebody who trains a small model with the Java library while all kinds of things happen to the
 * server, and does nothing about them but to repeat a step that a full disk has refused.
 */
final class FaultWriter implements AutoCloseable {
  /** How a step is sent. */
  enum Way {
    /** In one call. */
    WHOLE,
    /** Opened, filled in two calls, and committed. */
    PIECES,
    /** In one call, the next one before the answer. */
    WHOLE_AHEAD,
    /** Opened, filled in two calls, and committed; the next one opened and filled meanwhile. */
    PIECES_AHEAD;

    boolean isAhead() {
      return this == WHOLE_AHEAD || this == PIECES_AHEAD;
    }
  }

  /** A step that is not answered yet. */
  private record Flight(long number, CompletableFuture<StepResult> answer) {}

  private static final StepOptions OPTIONS = StepOptions.learningRate(0.1);

  private final MuondClient client;
  private final ModelHandle model;
  private final String name;
  private final int size;
  private final Way way;
  private final Thread thread = new Thread(this::run, "fault-writer");
  private final Deque<Flight> flights = new ArrayDeque<>();

  /** Of even steps and of odd ones: two may be on their way. */
  private final List<Map<String, Tensor>> gradients;

  private volatile boolean stopping;
  private volatile long committed;
  private volatile long durable;
  private final AtomicLong refused = new AtomicLong();
  private volatile Throwable failure;

  /**
   * Creates a model of the weights w (size, size / 2) and b (size) and begins to step it.
   *
   * @param every its durability, 0 for on request
   */
  FaultWriter(String server, String name, int size, long every, Way way) {
    this.client = MuondClient.builder(server).reconnectTimeout(Duration.ofSeconds(60)).build();
    this.name = name;
    this.size = size;
    this.way = way;
    this.gradients = List.of(zeros(size), zeros(size));
    this.model = client.createModel(request(name).setDurability(every(every)).build());
    thread.setDaemon(true);
    thread.start();
  }

  private static Map<String, Tensor> zeros(int size) {
    return Map.of("w", Tensor.zeros(size, size / 2), "b", Tensor.zeros(size));
  }

  private static Durability every(long steps) {
    return steps == 0
        ? Durability.getDefaultInstance()
        : Durability.newBuilder().setEverySteps(steps).build();
  }

  private CreateModelRequest.Builder request(String model) {
    ParameterList.Builder parameters =
        ParameterList.newBuilder()
            .addParameters(Parameter.newBuilder().setName("w").addShape(size).addShape(size / 2))
            .addParameters(
                Parameter.newBuilder()
                    .setName("b")
                    .addShape(size)
                    .setManifold(Manifold.MANIFOLD_SPHERE));
    return CreateModelRequest.newBuilder()
        .setModel(model)
        .setSeed(5)
        .setDefaultRule(Rule.newBuilder().setMomentum(0.9))
        .setOverlapSteps(way.isAhead())
        .setParameters(parameters);
  }

  /** The gradients of a step, always in the same arrays. */
  private Map<String, Tensor> gradients(long step) {
    Map<String, Tensor> tensors = gradients.get((int) (step % 2));
    Random random = new Random(step * 31 + name.hashCode());
    for (String parameter : new String[] {"w", "b"}) {
      float[] values = tensors.get(parameter).values();
      for (int i = 0; i < values.length; i++) {
        values[i] = random.nextFloat() - 0.5f;
      }
    }
    return tensors;
  }

  private void run() {
    try {
      while (!stopping) {
        step();
      }
      while (!flights.isEmpty()) {
        take();
      }
    } catch (Throwable e) {
      failure = e;
    }
  }

  private void step() {
    long number = flights.isEmpty() ? model.nextStep() : flights.getLast().number + 1;
    assertThat(number).isEqualTo(committed + 1 + flights.size());
    CompletableFuture<StepResult> answer;
    try {
      answer = send(model, number, way);
    } catch (MuondException e) {
      // Of two, the first says why.
      answer = CompletableFuture.failedFuture(e);
    }
    flights.add(new Flight(number, answer));
    int most = way.isAhead() && !answer.isCompletedExceptionally() ? 1 : 0;
    while (flights.size() > most) {
      take();
    }
  }

  /** Waits for the first answer. A full disk refuses that step, and what was sent behind it. */
  private void take() {
    Flight first = flights.remove();
    StepResult result;
    try {
      result = first.answer.join();
    } catch (CompletionException e) {
      if (!(e.getCause() instanceof MuondException why) || !why.is(ErrorReason.STORAGE_FAILED)) {
        throw e;
      }
      flights.forEach(behind -> behind.answer.handle((any, failed) -> null).join());
      flights.clear();
      refused.incrementAndGet();
      LockSupport.parkNanos(Duration.ofMillis(5).toNanos());
      return;
    }
    assertThat(result.report().getStep()).isEqualTo(first.number);
    durable = result.durableStep().orElse(-1);
    committed = first.number;
  }

  private CompletableFuture<StepResult> send(ModelHandle to, long number, Way how) {
    Map<String, Tensor> all = gradients(number);
    if (how == Way.WHOLE || how == Way.WHOLE_AHEAD) {
      return to.stepAsync(all, OPTIONS);
    }
    OpenStep step = to.openStep();
    assertThat(step.number()).isEqualTo(number);
    var first = step.fillAsync(Map.of("w", all.get("w")));
    var second = step.fillAsync(Map.of("b", all.get("b")));
    await(first);
    await(second);
    return step.commitAsync(OPTIONS);
  }

  private static void await(CompletableFuture<?> filled) {
    try {
      filled.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof MuondException refusal) {
        throw refusal;
      }
      throw e;
    }
  }

  String model() {
    return name;
  }

  /** The last step that was answered. */
  long committed() {
    return committed;
  }

  /** The last step that the server has told to be durable. */
  long durable() {
    return durable;
  }

  /** How often a full disk has refused a step. */
  long refused() {
    return refused.get();
  }

  /** Waits until that many steps were answered. */
  void await(long steps) {
    long deadline = System.nanoTime() + Duration.ofSeconds(90).toNanos();
    while (committed < steps) {
      requireNoFailure();
      assertThat(System.nanoTime()).as("%s, at step %d", name, committed).isLessThan(deadline);
      LockSupport.parkNanos(Duration.ofMillis(1).toNanos());
    }
  }

  void requireNoFailure() {
    if (failure != null) {
      throw new AssertionError(name + " failed after step " + committed, failure);
    }
  }

  /**
   * Stops, and compares: every step counted once, and the weights are those of a model that nothing
   * has happened to, bit for bit.
   *
   * @param undisturbed where that model is made
   */
  void finish(MuondClient undisturbed) throws InterruptedException {
    stopping = true;
    thread.join(Duration.ofSeconds(90).toMillis());
    assertThat(thread.isAlive()).as("%s goes on after step %d", name, committed).isFalse();
    requireNoFailure();
    Weights weights = model.readWeights();
    assertThat(weights.step()).isEqualTo(committed);
    assertThat(client.getModel(name).getCommittedStep()).isEqualTo(committed);
    try (ModelHandle twin = undisturbed.createModel(request(name + "-straight").build())) {
      while (twin.nextStep() <= committed) {
        send(twin, twin.nextStep(), Way.WHOLE).join();
      }
      assertThat(bits(weights))
          .as("%s after %d steps", name, committed)
          .isEqualTo(bits(twin.readWeights()));
      undisturbed.deleteModel(twin.name(), false);
    }
  }

  private static Map<String, String> bits(Weights weights) {
    Map<String, String> bits = new LinkedHashMap<>();
    weights
        .tensors()
        .forEach(
            (name, tensor) -> {
              float[] values = tensor.values();
              int[] raw = new int[values.length];
              Arrays.setAll(raw, i -> Float.floatToRawIntBits(values[i]));
              bits.put(name, Arrays.toString(raw));
            });
    return bits;
  }

  @Override
  public void close() {
    stopping = true;
    model.close();
    client.close();
  }
}
