package io.muond.server.checkpoint;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.Optional;

/**
 * Which automatic checkpoints stay.
 *
 * @param count how many, at least 1
 * @param age those that are older do not; empty: all of the count do
 */
public record Retention(int count, Optional<Duration> age) {
  public Retention {
    if (count < 1) {
      throw new IllegalArgumentException("count: " + count + " (expected: >= 1)");
    }
    requireNonNull(age, "age is null");
  }
}
