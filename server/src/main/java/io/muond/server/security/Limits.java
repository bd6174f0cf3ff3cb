package io.muond.server.security;

import io.muond.server.model.Allowance;

/**
 * What one principal may have.
 *
 * @param allowance what its models may take
 * @param streams calls under way at once
 * @param requestsPerSecond calls that begin, in the mean
 * @param burst calls that may begin at once after a rest, at least 1
 */
record Limits(Allowance allowance, long streams, double requestsPerSecond, double burst) {
  static final Limits NONE =
      new Limits(
          Allowance.UNLIMITED, Long.MAX_VALUE, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY);
}
