package io.muond.server.metrics;

import static java.util.Objects.requireNonNull;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.muond.server.model.Model;
import io.muond.server.model.ModelGlance;
import io.muond.server.model.ModelHost;
import io.muond.v1.ParameterReport;
import java.util.function.ToDoubleFunction;

/** What models there are, what they hold, and how far their weights are from their manifolds. */
public final class ModelMetrics implements MeterBinder {
  private final ModelHost models;

  public ModelMetrics(ModelHost models) {
    this.models = requireNonNull(models, "models is null");
  }

  @Override
  public void bindTo(MeterRegistry registry) {
    gauge("muond.models", "Models", m -> m.list().size()).register(registry);
    gauge("muond.parameters", "Parameters of all models", m -> sum(Model::parameterCount))
        .register(registry);
    gauge("muond.steps.open", "Models with a step under way", ModelMetrics::working)
        .register(registry);
    gauge("muond.draining", "1 while no new work is taken", m -> m.isDraining() ? 1 : 0)
        .register(registry);
    gauge(
            "muond.unsaved.max",
            "For how long any model that has checkpoints written has had steps that a crash would"
                + " undo",
            ModelMetrics::unsaved)
        .baseUnit("seconds")
        .register(registry);
    gauge("muond.staging", "Gradients of open steps, as they came", m -> sum(Model::stagedBytes))
        .baseUnit("bytes")
        .register(registry);
    gauge("muond.resident", "Device memory in use", ModelMetrics::resident)
        .baseUnit("bytes")
        .register(registry);
    gauge(
            "muond.orthogonality.max",
            "Largest entry of |W^T W - I| in any model's last step",
            m -> worst(ParameterReport::getOrthogonalityMax))
        .register(registry);
    gauge(
            "muond.tangency.rms",
            "Largest RMS of W^T A + A^T W in any model's last step",
            m -> worst(ParameterReport::getTangencyRms))
        .register(registry);
  }

  private Gauge.Builder<ModelHost> gauge(
      String name, String description, ToDoubleFunction<ModelHost> value) {
    return Gauge.builder(name, models, value).description(description);
  }

  private static double resident(ModelHost models) {
    return models.devices().all().stream().mapToDouble(d -> d.engine().allocatedBytes()).sum();
  }

  private static double working(ModelHost models) {
    return models.list().stream().filter(Model::isWorking).count();
  }

  private static double unsaved(ModelHost models) {
    return models.glances().stream()
        .filter(g -> g.everySteps() > 0)
        .mapToDouble(ModelGlance::unsavedSeconds)
        .max()
        .orElse(0);
  }

  private double sum(ToDoubleFunction<Model> value) {
    return models.list().stream().mapToDouble(value).sum();
  }

  private double worst(ToDoubleFunction<ParameterReport> residual) {
    return models.list().stream().mapToDouble(m -> m.worst(residual)).max().orElse(0);
  }
}
