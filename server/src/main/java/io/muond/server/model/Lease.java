package io.muond.server.model;

import java.time.Duration;
import java.util.Optional;

/**
 * How long a model may be without a heartbeat. What is accepted renews it, and so does the end of
 * what goes on for some time; a call that is held keeps it from ending. Guarded by the model's
 * lock, but for {@link #renew}.
 */
final class Lease {
  private final Optional<Duration> ttl;
  private volatile long renewed = System.nanoTime();
  private int calls;

  /**
   * @param ttl empty for a model that lives until it is deleted
   */
  Lease(Optional<Duration> ttl) {
    this.ttl = ttl;
  }

  /** A heartbeat: it lasts for the whole time to live from now on. */
  void renew() {
    renewed = System.nanoTime();
  }

  /** A call has begun, of which it is not known yet whether it is accepted. */
  void hold() {
    calls++;
  }

  /** A call has ended; one that was refused is no heartbeat. */
  void letGo(boolean accepted) {
    calls--;
    if (accepted) {
      renew();
    }
  }

  /**
   * Whether it has ended.
   *
   * @param now by {@link System#nanoTime}
   */
  boolean isOver(long now) {
    return ttl.isPresent()
        && calls == 0
        && Duration.ofNanos(now - renewed).compareTo(ttl.get()) > 0;
  }
}
