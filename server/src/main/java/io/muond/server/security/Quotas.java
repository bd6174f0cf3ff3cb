package io.muond.server.security;

import static java.util.Objects.requireNonNull;

import io.muond.server.model.AccessRefusals;
import io.muond.server.model.Allowance;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/** What each principal has of calls, against what it may have. Thread-safe. */
public final class Quotas {
  private static final double NANOS = 1e9;

  private final Map<String, Usage> usages = new ConcurrentHashMap<>();
  private final LongSupplier clock;
  private volatile QuotaFile file = QuotaFile.NO_LIMITS;

  /**
   * @param clock in nanoseconds
   */
  Quotas(LongSupplier clock) {
    this.clock = requireNonNull(clock, "clock is null");
  }

  /** From now on these are the limits; what is under way stays. */
  void set(QuotaFile limits) {
    file = limits;
  }

  /** What a principal's models may take. */
  public Allowance allowance(String principal) {
    return file.of(principal).allowance();
  }

  /**
   * Lets one more call of a principal's begin, or refuses it.
   *
   * @return to be run when the call has ended
   */
  public Runnable admit(String principal) {
    Usage usage = usages.computeIfAbsent(principal, Usage::new);
    usage.begin(file.of(principal), clock.getAsLong());
    return usage::end;
  }

  /** The calls of one principal. */
  private static final class Usage {
    private final String principal;
    private long streams;
    private double tokens = Double.POSITIVE_INFINITY;
    private long filled;

    private Usage(String principal) {
      this.principal = principal;
    }

    private synchronized void begin(Limits limits, long now) {
      if (streams >= limits.streams()) {
        throw AccessRefusals.tooManyStreams(principal, streams, limits.streams());
      }
      takeToken(limits, now);
      streams++;
    }

    /** A bucket that holds a burst and fills at the rate; a call takes one. */
    private void takeToken(Limits limits, long now) {
      double rate = limits.requestsPerSecond();
      if (Double.isInfinite(rate)) {
        tokens = Double.POSITIVE_INFINITY;
        return;
      }
      double gained = Math.max(0, now - filled) / NANOS * rate;
      tokens = Math.min(limits.burst(), tokens + gained);
      filled = now;
      if (tokens < 1) {
        long wait = (long) Math.ceil((1 - tokens) / rate * NANOS);
        throw AccessRefusals.tooManyRequests(principal, rate, Duration.ofNanos(wait));
      }
      tokens--;
    }

    private synchronized void end() {
      streams--;
    }
  }
}
