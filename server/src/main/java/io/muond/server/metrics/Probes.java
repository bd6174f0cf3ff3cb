package io.muond.server.metrics;

import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.muond.server.metrics.HttpEndpoint.Page;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** What programs ask for: {@code /metrics}, and whether to send work, {@code /healthz}. */
public final class Probes {
  private Probes() {}

  /**
   * The pages by their paths.
   *
   * @param healthy decides between 200 and 503
   */
  public static Map<String, Page> pages(PrometheusMeterRegistry registry, BooleanSupplier healthy) {
    return Map.of(
        "/metrics",
        query -> HttpAnswer.of("text/plain; version=0.0.4", registry.scrape()),
        "/healthz",
        query ->
            healthy.getAsBoolean()
                ? HttpAnswer.text(200, "serving\n")
                : HttpAnswer.text(503, "not serving\n"));
  }
}
