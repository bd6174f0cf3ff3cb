package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.muond.v1.CommitOptions;
import io.muond.v1.DataType;
import io.muond.v1.ReportDetail;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * What a step does. Immutable: each {@code with} method returns a changed copy.
 *
 * @param learningRate how far weights move, in the norm of the unit-radius manifold, >= 0; absent
 *     only where every parameter's group has a rate of its own, or the model a schedule
 * @param groupLearningRates rates by group, in place of {@code learningRate}; default none
 * @param reportDetail how much the report says; default RESIDUALS
 * @param returnWeights the type in which the new weights come back with the report; default: they
 *     do not
 * @param provisionalWeights whether they may come, unseen, before the report
 */
public record StepOptions(
    OptionalDouble learningRate,
    Map<String, Double> groupLearningRates,
    ReportDetail reportDetail,
    Optional<DataType> returnWeights,
    boolean provisionalWeights) {

  public StepOptions {
    requireNonNull(learningRate, "learningRate is null");
    groupLearningRates = Map.copyOf(groupLearningRates);
    requireNonNull(reportDetail, "reportDetail is null");
    requireNonNull(returnWeights, "returnWeights is null");
  }

  /** The defaults with this learning rate. */
  public static StepOptions learningRate(double rate) {
    return new StepOptions(
        OptionalDouble.of(rate),
        Map.of(),
        ReportDetail.REPORT_DETAIL_RESIDUALS,
        Optional.empty(),
        false);
  }

  /** The defaults with rates by group only. */
  public static StepOptions groupLearningRates(Map<String, Double> rates) {
    return new StepOptions(
        OptionalDouble.empty(),
        rates,
        ReportDetail.REPORT_DETAIL_RESIDUALS,
        Optional.empty(),
        false);
  }

  /** The defaults with the rates of the model's schedules. */
  public static StepOptions scheduled() {
    return groupLearningRates(Map.of());
  }

  /** With rates by group. */
  public StepOptions withGroupLearningRates(Map<String, Double> rates) {
    return new StepOptions(learningRate, rates, reportDetail, returnWeights, provisionalWeights);
  }

  /** With another level of detail in the report. */
  public StepOptions withReportDetail(ReportDetail detail) {
    return new StepOptions(
        learningRate, groupLearningRates, detail, returnWeights, provisionalWeights);
  }

  /** With the new weights in the answer, as float32. */
  public StepOptions withReturnedWeights() {
    return withReturnedWeights(DataType.DATA_TYPE_FLOAT32);
  }

  /** With the new weights in the answer, written in 2 or 4 bytes. */
  public StepOptions withReturnedWeights(DataType type) {
    return new StepOptions(
        learningRate, groupLearningRates, reportDetail, Optional.of(type), provisionalWeights);
  }

  /**
   * With those of the new weights that are finished coming while others are computed: for models
   * whose weights take long to send. The result is the same, and there once the step is committed.
   *
   * @throws IllegalStateException if no weights are to come back
   */
  public StepOptions withProvisionalWeights() {
    if (returnWeights.isEmpty()) {
      throw new IllegalStateException("no weights come back (expected: withReturnedWeights first)");
    }
    return new StepOptions(learningRate, groupLearningRates, reportDetail, returnWeights, true);
  }

  CommitOptions toProto() {
    CommitOptions.Builder options =
        CommitOptions.newBuilder()
            .putAllGroupLearningRates(groupLearningRates)
            .setReportDetail(reportDetail)
            .setProvisionalWeights(provisionalWeights);
    learningRate.ifPresent(options::setLearningRate);
    returnWeights.ifPresent(options::setReturnWeights);
    return options.build();
  }
}
