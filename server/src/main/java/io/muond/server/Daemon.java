package io.muond.server;

import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.muond.server.checkpoint.CheckpointException;
import io.muond.server.checkpoint.CheckpointStore;
import io.muond.server.engine.Engine;
import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.engine.cuda.CudaEngine;
import io.muond.server.engine.cuda.CudaUnavailableException;
import io.muond.server.metrics.CallMetrics;
import io.muond.server.metrics.ConnectionMetrics;
import io.muond.server.metrics.DeviceMetrics;
import io.muond.server.metrics.HttpEndpoint;
import io.muond.server.metrics.ModelMetrics;
import io.muond.server.metrics.ModelSeries;
import io.muond.server.metrics.Probes;
import io.muond.server.metrics.ProcessMetrics;
import io.muond.server.metrics.ServerMetrics;
import io.muond.server.model.ModelHost;
import io.muond.server.model.ModelRegistry;
import io.muond.server.optimizer.MuonOptimizer;
import io.muond.server.rpc.GrpcServer;
import io.muond.server.security.Security;
import io.muond.server.status.StatusPage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Everything that runs in the server's process. */
final class Daemon implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Daemon.class);

  private final Deque<AutoCloseable> parts = new ArrayDeque<>();
  private final AtomicBoolean serving = new AtomicBoolean();
  private final Duration drainTimeout;
  private final ModelHost models;
  private final String host;
  private final String engineKind;
  private final GrpcServer grpc;
  private final HttpEndpoint http;

  /**
   * Starts everything.
   *
   * @throws StartException if something cannot be had, saying what
   */
  Daemon(ServerConfig config) throws StartException {
    try {
      drainTimeout = config.drainTimeout;
      InetAddress address = address(config.host);
      host = address.isAnyLocalAddress() ? "127.0.0.1" : config.host;
      Security security = own(config.security.open(config.host, address));
      PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
      // It counts nanoseconds; all else here is in base units.
      registry.config().meterFilter(MeterFilter.denyNameStartsWith("process.cpu.time"));
      parts.push(registry::close);
      List<Engine> engines = engines(config);
      engines.forEach(this::own);
      engineKind = engines.get(0).kind();
      Optional<CheckpointStore> checkpoints = checkpoints(config);
      models = own(models(config, engines, registry, checkpoints, security));
      restore(models, security);
      bind(config, registry, models, security);
      grpc = own(grpc(config, address, models, security, registry));
      new ConnectionMetrics(grpc).bindTo(registry);
      http = own(http(config, address, pages(config, registry, models, security)));
      serving.set(true);
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  /** The server cannot start; the message is one line for the operator. */
  static final class StartException extends Exception {
    private static final long serialVersionUID = 1L;

    StartException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  private <T extends AutoCloseable> T own(T part) {
    parts.push(part);
    return part;
  }

  private static InetAddress address(String host) throws StartException {
    try {
      return InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      throw new StartException("--host: " + host + " (expected: an address of this machine)", e);
    }
  }

  private static List<Engine> engines(ServerConfig config) throws StartException {
    if (config.engine == ServerConfig.EngineChoice.CPU) {
      logger.info("engine: cpu");
    } else {
      try {
        List<Engine> cuda =
            List.copyOf(CudaEngine.openAll(why -> logger.warn("left out: {}", why)));
        logger.info(
            "engine: cuda, {}",
            cuda.stream().map(e -> e.device().name()).collect(Collectors.joining(", ")));
        return cuda;
      } catch (CudaUnavailableException e) {
        if (config.engine == ServerConfig.EngineChoice.CUDA) {
          throw new StartException("--engine: cuda, but " + e.getMessage(), e);
        }
        logger.info("engine: cpu, since {}", e.getMessage());
      }
    }
    return List.of(new CpuEngine(config.threadCount(), config.memoryBytes()));
  }

  private Optional<CheckpointStore> checkpoints(ServerConfig config) throws StartException {
    if (config.dataDirectory().isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(own(new CheckpointStore(config.dataDirectory().get())));
    } catch (CheckpointException e) {
      throw new StartException(
          "--data-dir: " + e.getMessage() + " (expected: a directory to write to, not in use)", e);
    }
  }

  private static void restore(ModelHost models, Security security) throws StartException {
    try {
      models.restoreAll();
      int orphans = models.of(ModelHost.ANONYMOUS).list().size();
      if (security.isAuthenticating() && orphans > 0) {
        logger.warn(
            "{} models are nobody's, since nobody was asked for a name when they were made: moving"
                + " models/NAME to principals/WHO/models/NAME while the server is stopped gives one"
                + " to WHO",
            orphans);
      }
    } catch (CheckpointException e) {
      throw new StartException("--data-dir: " + e.getMessage(), e);
    }
  }

  private static ModelHost models(
      ServerConfig config,
      List<Engine> engines,
      PrometheusMeterRegistry registry,
      Optional<CheckpointStore> checkpoints,
      Security security) {
    return new ModelHost(
        engines,
        MuonOptimizer::new,
        new ModelRegistry.Settings(config.stepTimeout, config.readerGrace),
        new ServerMetrics(registry),
        checkpoints,
        security.quotas()::allowance);
  }

  private void bind(
      ServerConfig config, PrometheusMeterRegistry registry, ModelHost models, Security security) {
    new ModelMetrics(models).bindTo(registry);
    new DeviceMetrics(models.devices()).bindTo(registry);
    if (config.showsModels(security.isAuthenticating())) {
      registry.getPrometheusRegistry().register(new ModelSeries(models));
    }
    own(new ProcessMetrics(engineKind, config.dataDirectory())).bindTo(registry);
  }

  private static GrpcServer grpc(
      ServerConfig config,
      InetAddress address,
      ModelHost models,
      Security security,
      PrometheusMeterRegistry registry)
      throws StartException {
    try {
      return new GrpcServer(
          new GrpcServer.Settings(
              new InetSocketAddress(address, config.port),
              config.dataDirectory().isPresent(),
              config.security.maxConnections),
          models,
          security,
          new CallMetrics(registry));
    } catch (IOException e) {
      throw cannotBind("--port", config.host, config.port, e);
    }
  }

  private Map<String, HttpEndpoint.Page> pages(
      ServerConfig config, PrometheusMeterRegistry registry, ModelHost models, Security security) {
    Map<String, HttpEndpoint.Page> pages = new HashMap<>();
    pages.putAll(
        Probes.pages(registry, () -> serving.get() && !models.devices().allLost().isDone()));
    boolean showsModels = config.showsModels(security.isAuthenticating());
    pages.putAll(new StatusPage(models, grpc, serving::get, showsModels).pages());
    return pages;
  }

  private static HttpEndpoint http(
      ServerConfig config, InetAddress address, Map<String, HttpEndpoint.Page> pages)
      throws StartException {
    try {
      return new HttpEndpoint(new InetSocketAddress(address, config.httpPort), pages);
    } catch (IOException e) {
      throw cannotBind("--http-port", config.host, config.httpPort, e);
    }
  }

  private static StartException cannotBind(String flag, String host, int port, IOException e) {
    Throwable cause = e.getCause() == null ? e : e.getCause();
    return new StartException(
        flag + ": cannot listen on " + host + ":" + port + ": " + cause.getMessage(), e);
  }

  /** Where clients reach gRPC. */
  String grpcAddress() {
    return HostPort.format(host, grpc.port());
  }

  /** Where metrics are. */
  String httpAddress() {
    return HostPort.format(host, http.port());
  }

  /** "cpu" or "cuda". */
  String engineKind() {
    return engineKind;
  }

  /** Within which everything ends. */
  Duration drainTimeout() {
    return drainTimeout;
  }

  /** Says that it does not serve any more, and begins to come to its end. */
  Drain drain() {
    serving.set(false);
    return new Drain(grpc, models, drainTimeout);
  }

  /** Closes everything, the last first; what fails is logged and does not keep the rest open. */
  @Override
  public void close() {
    while (!parts.isEmpty()) {
      try {
        parts.pop().close();
      } catch (Throwable e) {
        logger.error("closing failed", e);
      }
    }
  }
}
