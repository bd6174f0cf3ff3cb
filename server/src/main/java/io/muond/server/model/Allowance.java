package io.muond.server.model;

/**
 * What a principal's models may take together. {@link Long#MAX_VALUE}: no limit.
 *
 * @param models how many there may be
 * @param deviceBytes of device memory, workspace that all share not counted
 */
public record Allowance(long models, long deviceBytes) {
  /** No limits. */
  public static final Allowance UNLIMITED = new Allowance(Long.MAX_VALUE, Long.MAX_VALUE);

  public Allowance {
    if (models < 0 || deviceBytes < 0) {
      throw new IllegalArgumentException(models + ", " + deviceBytes + " (expected: >= 0)");
    }
  }
}
