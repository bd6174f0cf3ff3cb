package io.muond.server.metrics;

import static java.util.Objects.requireNonNull;

import io.muond.server.model.ModelGlance;
import io.muond.server.model.ModelHost;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.prometheus.metrics.model.snapshots.Unit;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What there is to say of each model by name. Made anew for each scrape, so that a model that is
 * gone leaves nothing behind, and of a bounded number of models.
 */
public final class ModelSeries implements MultiCollector {
  /** The first so many by principal and name: seven series each, well under a megabyte. */
  static final int MOST = 1_000;

  private final ModelHost models;

  public ModelSeries(ModelHost models) {
    this.models = requireNonNull(models, "models is null");
  }

  @Override
  public MetricSnapshots collect() {
    List<ModelGlance> glances = models.glances();
    List<ModelGlance> shown = glances.subList(0, Math.min(MOST, glances.size()));
    return new MetricSnapshots(
        gauge("step", "The last committed step", shown, ModelGlance::step),
        gauge(
            "durable_step",
            "The last step that no crash undoes, -1 if there is none",
            shown,
            g -> g.durableStep().orElse(-1)),
        seconds(shown),
        gauge("parameters", "Parameters", shown, ModelGlance::parameters),
        bytes(shown),
        gauge(
            "orthogonality_max",
            "Largest entry of |W^T W - I| in its last step",
            shown,
            ModelGlance::orthogonalityMax),
        gauge(
            "tangency_rms",
            "Largest RMS of W^T A + A^T W in its last step",
            shown,
            ModelGlance::tangencyRms));
  }

  private static GaugeSnapshot seconds(List<ModelGlance> glances) {
    return builder(
            "unsaved_seconds",
            "For how long it has had steps that a crash would undo",
            glances,
            ModelGlance::unsavedSeconds)
        .unit(Unit.SECONDS)
        .build();
  }

  private static GaugeSnapshot bytes(List<ModelGlance> glances) {
    return builder("memory_bytes", "Device memory reserved", glances, g -> (double) g.memoryBytes())
        .unit(Unit.BYTES)
        .build();
  }

  private static GaugeSnapshot gauge(
      String name, String help, List<ModelGlance> glances, ToDoubleFunction<ModelGlance> value) {
    return builder(name, help, glances, value).build();
  }

  private static GaugeSnapshot.Builder builder(
      String name, String help, List<ModelGlance> glances, ToDoubleFunction<ModelGlance> value) {
    GaugeSnapshot.Builder builder = GaugeSnapshot.builder().name("muond_model_" + name).help(help);
    for (ModelGlance glance : glances) {
      builder.dataPoint(
          GaugeDataPointSnapshot.builder()
              .labels(Labels.of("principal", glance.principal(), "model", glance.name()))
              .value(value.applyAsDouble(glance))
              .build());
    }
    return builder;
  }
}
