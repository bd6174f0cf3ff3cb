package io.muond.server.model;

import io.muond.server.checkpoint.Retention;
import io.muond.v1.Durability;
import java.time.Duration;
import java.util.Optional;

/** Checks when a model's checkpoints are written and which of them stay, and fills in defaults. */
final class DurabilityReader {
  /** The older one is what remains should the newer one be damaged. */
  private static final int DEFAULT_COUNT = 2;

  private static final int MAX_COUNT = 1_000;

  /** 10,000 years, the bound of protobuf's own durations. */
  private static final long MAX_SECONDS = 315_576_000_000L;

  private DurabilityReader() {}

  /** A checkpoint is due after every so many steps; 0 for none. */
  static long everySteps(Durability durability) {
    if (!durability.hasEverySteps()) {
      return 0;
    }
    long every = durability.getEverySteps();
    if (every < 1) {
      throw Refusals.invalidField(
          "durability.every_steps", Long.toUnsignedString(every), "1 to 9223372036854775807");
    }
    return every;
  }

  static Retention retention(Durability durability) {
    int count = durability.getKeepCount() == 0 ? DEFAULT_COUNT : durability.getKeepCount();
    if (count < 1 || count > MAX_COUNT) {
      throw Refusals.invalidField(
          "durability.keep_count", Integer.toUnsignedString(count), "1 to " + MAX_COUNT);
    }
    return new Retention(
        count,
        durability.hasKeepFor()
            ? Optional.of(duration("durability.keep_for", durability.getKeepFor()))
            : Optional.empty());
  }

  /** A duration of at least a second. */
  static Duration duration(String field, com.google.protobuf.Duration duration) {
    boolean nanosInRange = duration.getNanos() >= 0 && duration.getNanos() < 1_000_000_000;
    if (!nanosInRange || duration.getSeconds() < 1 || duration.getSeconds() > MAX_SECONDS) {
      throw Refusals.invalidField(
          field, duration.getSeconds() + "." + duration.getNanos() + " s", "at least 1 s");
    }
    return Duration.ofSeconds(duration.getSeconds(), duration.getNanos());
  }
}
