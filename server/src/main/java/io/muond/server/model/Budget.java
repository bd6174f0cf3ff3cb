package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import java.util.function.Supplier;

/**
 * What one principal's models take, against what they may. The allowance may change at any time:
 * what was taken stays, and nothing more is given until there is room. Thread-safe.
 */
final class Budget {
  private final String principal;
  private final Supplier<Allowance> allowance;
  private long bytes;
  private boolean suspended;

  Budget(String principal, Supplier<Allowance> allowance) {
    this.principal = requireNonNull(principal, "principal is null");
    this.allowance = requireNonNull(allowance, "allowance is null");
  }

  /** In whose name devices work for a model. */
  Party party(ModelSpec spec) {
    return new Party(principal, spec.name());
  }

  /** While suspended it counts, but refuses nothing: what was accepted once comes back. */
  synchronized void suspend(boolean whether) {
    suspended = whether;
  }

  /**
   * Refuses one more model.
   *
   * @param models how many there are
   */
  synchronized void requireRoom(long models) {
    long limit = allowance.get().models();
    if (!suspended && models >= limit) {
      throw AccessRefusals.quotaExceeded(
          principal, "models", models, limit, models + " models (expected: fewer than " + limit);
    }
  }

  /** Takes device memory, or refuses and takes none. */
  synchronized void take(long needed) {
    long limit = allowance.get().deviceBytes();
    if (!suspended && (bytes > limit || needed > limit - bytes)) {
      throw AccessRefusals.quotaExceeded(
          principal,
          "device_memory",
          bytes,
          limit,
          needed
              + " bytes of device memory, besides "
              + bytes
              + " in use (expected: at most "
              + limit
              + " together");
    }
    bytes += needed;
  }

  synchronized void giveBack(long freed) {
    bytes -= freed;
  }
}
