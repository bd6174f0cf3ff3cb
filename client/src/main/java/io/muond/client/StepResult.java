package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.muond.v1.StepReport;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * What a step did.
 *
 * @param report the server's report
 * @param weights the new weights by parameter; empty unless they were asked for
 */
public record StepResult(StepReport report, Map<String, Tensor> weights) {
  public StepResult {
    requireNonNull(report, "report is null");
    weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
  }

  /**
   * The step whose weights these are: this one, or, where steps overlap and an answer was lost, the
   * one after it.
   */
  public long weightsStep() {
    return report.hasWeightsStep() ? report.getWeightsStep() : report.getStep();
  }

  /** The last step that a crash cannot undo; empty if it undoes all of them. */
  public OptionalLong durableStep() {
    return report.hasDurableStep()
        ? OptionalLong.of(report.getDurableStep())
        : OptionalLong.empty();
  }

  /** The same, should the newest checkpoint turn out to be damaged. */
  OptionalLong fallbackStep() {
    return report.hasFallbackStep()
        ? OptionalLong.of(report.getFallbackStep())
        : OptionalLong.empty();
  }
}
