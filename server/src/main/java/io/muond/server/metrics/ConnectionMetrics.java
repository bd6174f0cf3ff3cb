package io.muond.server.metrics;

import static java.util.Objects.requireNonNull;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.muond.server.rpc.GrpcServer;
import java.util.function.ToDoubleFunction;

/** The connections of the gRPC server. */
public final class ConnectionMetrics implements MeterBinder {
  private final GrpcServer server;

  public ConnectionMetrics(GrpcServer server) {
    this.server = requireNonNull(server, "server is null");
  }

  @Override
  public void bindTo(MeterRegistry registry) {
    Gauge.builder("muond.connections", server, s -> s.connections().open())
        .description("Connections that are open")
        .register(registry);
    counter("muond.connections.refused", s -> s.connections().refused())
        .description("Connections closed at once, since there were too many")
        .register(registry);
    counter("muond.tls.failures", s -> s.connections().failedHandshakes())
        .description("TLS handshakes that have failed")
        .register(registry);
  }

  private FunctionCounter.Builder<GrpcServer> counter(
      String name, ToDoubleFunction<GrpcServer> value) {
    return FunctionCounter.builder(name, server, value);
  }
}
