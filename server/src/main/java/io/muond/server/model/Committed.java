package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.v1.StepReport;
import java.util.Optional;

/**
 * The answer to a commit.
 *
 * @param weights the new weights if they were asked for; to be closed by the receiver
 */
public record Committed(StepReport report, Optional<WeightsReader> weights) {
  public Committed {
    requireNonNull(report, "report is null");
    requireNonNull(weights, "weights is null");
  }

  /** Nobody is to be told. */
  public void close() {
    weights.ifPresent(WeightsReader::close);
  }
}
