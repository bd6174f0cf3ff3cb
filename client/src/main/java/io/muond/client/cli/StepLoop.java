package io.muond.client.cli;

import io.muond.client.ModelHandle;
import io.muond.client.MuondException;
import io.muond.client.Progress;
import io.muond.client.StepOptions;
import io.muond.client.StepResult;
import io.muond.client.TensorData;
import io.muond.v1.ErrorReason;
import io.muond.v1.StepReport;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;

/** Steps a model with the same gradients until it has committed a step. */
final class StepLoop {
  private static final int MAX_REWINDS = 3;

  private final ModelHandle model;
  private final Map<String, TensorData> gradients;
  private final StepOptions options;
  private final boolean keepReports;
  private final Console console;
  private final TreeMap<Long, StepReport> reports = new TreeMap<>();

  /**
   * @param gradients by name; those of frozen parameters are not sent
   */
  StepLoop(
      ModelHandle model,
      Map<String, TensorData> gradients,
      StepOptions options,
      boolean keepReports,
      Console console) {
    this.model = model;
    this.gradients = new TreeMap<>(gradients);
    model.parameters().stream()
        .filter(Pieces::areFrozen)
        .forEach(parameter -> this.gradients.remove(parameter.getName()));
    this.options = options;
    this.keepReports = keepReports;
    this.console = console;
  }

  /**
   * Steps until {@code target} is committed. A model that went back meanwhile (a restart, a
   * restored checkpoint) is stepped again from there.
   *
   * @return the steps' reports, if they are kept, by number
   */
  Collection<StepReport> run(long target) {
    long first = model.nextStep();
    int rewinds = 0;
    try (Progress progress = console.progress("stepping", target - first + 1, "steps")) {
      while (model.nextStep() <= target) {
        try {
          StepResult result = model.step(gradients, options);
          rewinds = 0;
          keep(result.report());
          progress.update(model.nextStep() - first);
        } catch (MuondException e) {
          rewinds++;
          if (!e.is(ErrorReason.MODEL_REWOUND) || rewinds > MAX_REWINDS) {
            throw e;
          }
          model.refresh();
        }
      }
    }
    return reports.values();
  }

  private void keep(StepReport report) {
    if (keepReports) {
      reports.put(report.getStep(), report);
    }
  }
}
