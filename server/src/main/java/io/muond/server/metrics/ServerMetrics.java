package io.muond.server.metrics;

import static java.util.Objects.requireNonNull;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.muond.server.model.MuondException;
import io.muond.server.model.StepObserver;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;

/**
 * Counts and times steps, the bytes that they move, and checkpoints. Every meter exists from the
 * start.
 */
public final class ServerMetrics implements StepObserver {
  /** Three to a decade: what is read between two of them is off by a third at most. */
  private static final Duration[] BUCKETS =
      Stream.of(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
          .map(Duration::ofMillis)
          .toArray(Duration[]::new);

  private final Timer stage;
  private final Timer compute;
  private final Timer commit;
  private final Map<Result, Counter> steps = new EnumMap<>(Result.class);
  private final Counter gradientBytes;
  private final Counter weightBytes;
  private final Timer checkpoints;
  private final Counter checkpointBytes;
  private final Counter checkpointFailures;
  private final Counter damagedCheckpoints;

  /** What became of a step. README.md says what each of them means. */
  private enum Result {
    COMMITTED,
    REPEATED,
    REFUSED,
    ABORTED,
    FAILED
  }

  /**
   * @param registry that the meters are registered with
   */
  public ServerMetrics(MeterRegistry registry) {
    requireNonNull(registry, "registry is null");
    stage = phase(registry, "stage");
    compute = phase(registry, "compute");
    commit = phase(registry, "commit");
    for (Result result : Result.values()) {
      steps.put(result, counter(registry, result));
    }
    gradientBytes =
        bytes(registry, "muond.gradient", "Gradients staged, as they came over the wire");
    weightBytes = bytes(registry, "muond.weight", "Weights read, as they went over the wire");
    checkpoints =
        Timer.builder("muond.checkpoint.duration")
            .description("Time of writing checkpoints")
            .serviceLevelObjectives(BUCKETS)
            .register(registry);
    checkpointBytes = bytes(registry, "muond.checkpoint", "Checkpoints written");
    checkpointFailures =
        Counter.builder("muond.checkpoint.failures")
            .description("Checkpoints that could not be written")
            .register(registry);
    damagedCheckpoints =
        Counter.builder("muond.checkpoints.damaged")
            .description("Checkpoints found not to be what they were written as")
            .register(registry);
  }

  private static Counter bytes(MeterRegistry registry, String name, String description) {
    return Counter.builder(name).baseUnit("bytes").description(description).register(registry);
  }

  private static Timer phase(MeterRegistry registry, String phase) {
    return Timer.builder("muond.step.duration")
        .description("Time of committed steps by phase")
        .tag("phase", phase)
        .serviceLevelObjectives(BUCKETS)
        .register(registry);
  }

  private static Counter counter(MeterRegistry registry, Result result) {
    return Counter.builder("muond.steps")
        .description("Steps by result")
        .tag("result", result.name().toLowerCase(Locale.ROOT))
        .register(registry);
  }

  @Override
  public void gradientBytes(long bytes) {
    gradientBytes.increment((double) bytes);
  }

  @Override
  public void weightBytes(long bytes) {
    weightBytes.increment((double) bytes);
  }

  @Override
  public void committed(StepTimes times) {
    stage.record(duration(times.stage()));
    compute.record(duration(times.compute()));
    commit.record(duration(times.commit()));
    steps.get(Result.COMMITTED).increment();
  }

  private static Duration duration(double seconds) {
    return Duration.ofNanos((long) (seconds * 1e9));
  }

  @Override
  public void repeated() {
    steps.get(Result.REPEATED).increment();
  }

  @Override
  public void dropped(Throwable cause) {
    steps.get(result(cause)).increment();
  }

  @Override
  public void refused(Throwable cause) {
    Result result = result(cause);
    // There was no step yet that could have been aborted.
    steps.get(result == Result.ABORTED ? Result.REFUSED : result).increment();
  }

  @Override
  public void saved(double seconds, long bytes) {
    checkpoints.record(duration(seconds));
    checkpointBytes.increment((double) bytes);
  }

  @Override
  public void notSaved() {
    checkpointFailures.increment();
  }

  @Override
  public void foundDamaged() {
    damagedCheckpoints.increment();
  }

  private static Result result(Throwable cause) {
    if (cause instanceof CompletionException && cause.getCause() != null) {
      return result(cause.getCause());
    }
    if (!(cause instanceof MuondException e)) {
      return Result.FAILED;
    }
    return switch (e.reason()) {
      case STEP_ABORTED, STEP_EXPIRED, MODEL_DELETED, SHUTTING_DOWN -> Result.ABORTED;
      case INTERNAL_FAULT, HOST_MEMORY, DEVICE_LOST, STORAGE_FAILED -> Result.FAILED;
      default -> Result.REFUSED;
    };
  }
}
