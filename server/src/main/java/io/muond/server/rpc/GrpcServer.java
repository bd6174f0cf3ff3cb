package io.muond.server.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.util.internal.PlatformDependent;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.muond.server.model.ModelHost;
import io.muond.server.model.Refusals;
import io.muond.server.security.Security;
import io.muond.wire.Transport;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The gRPC server: muond's services, health and reflection. */
public final class GrpcServer implements AutoCloseable {
  /**
   * The largest message that is accepted: two of the largest chunks. A connection's window too, so
   * that the next chunk travels while one is staged.
   */
  static final int MAX_MESSAGE_BYTES = 4 << 20;

  private static final int OVERHEAD_BYTES = 64 << 10;
  private static final int CALLS_PER_CONNECTION = 256;

  /**
   * A quarter of the memory for transfers may be held by clients that do not take what they are
   * sent.
   */
  private static final int BACKLOG_SHARE = 4;

  /** A connection that has not introduced itself by then is closed. */
  private static final Duration HANDSHAKE = Duration.ofSeconds(20);

  /** For what was answered to leave, and for clients to close their connections. */
  private static final Duration LAST_WORDS = Duration.ofMillis(200);

  private final Door door = new Door();
  private final Gate gate;
  private final Connections connections;
  private final HealthStatusManager health = new HealthStatusManager();
  private final ExecutorService executor;
  private final StepRpc steps;
  private final Server server;

  /**
   * Where and how it serves.
   *
   * @param hasDataDirectory whether models can be saved
   * @param maxConnections how many there may be at once
   */
  public record Settings(InetSocketAddress address, boolean hasDataDirectory, int maxConnections) {
    public Settings {
      requireNonNull(address, "address is null");
    }
  }

  /**
   * Binds the address and serves.
   *
   * @param models stays the caller's
   * @param security stays the caller's, who closes it after this
   * @param metrics sees every call
   * @throws IOException if the address cannot be bound
   */
  public GrpcServer(
      Settings settings, ModelHost models, Security security, ServerInterceptor metrics)
      throws IOException {
    requireNonNull(models, "models is null");
    this.executor = executor();
    this.connections =
        new Connections(
            settings.maxConnections(),
            (peer, fault) -> security.audit().note(null, peer, "-", "", "TLS: " + fault));
    Answers answers = new Answers(executor);
    this.steps = new StepRpc(models, answers);
    List<ServerServiceDefinition> services =
        List.of(
            new ModelRpc(models, answers).definition(),
            steps.definition(),
            new CheckpointRpc(models, answers).bindService(),
            new ServerRpc(models, answers, settings.hasDataDirectory()).bindService());
    Backlog backlog =
        new Backlog(PlatformDependent.maxDirectMemory() / BACKLOG_SHARE, connections::end);
    this.gate = new Gate(security, connections, door, backlog);
    NettyServerBuilder builder =
        builder(settings.address(), security)
            // The interceptor added last is called first.
            .intercept(new FaultInterceptor())
            .intercept(new Handshake())
            .intercept(gate)
            .intercept(door)
            .intercept(metrics)
            .intercept(new Requests())
            .fallbackHandlerRegistry(new UnknownMethods());
    connections.guard(builder);
    Transport.tune(builder);
    Stream.of(
            services.stream(),
            Stream.of(health.getHealthService(), ProtoReflectionServiceV1.newInstance())
                .map(BindableService::bindService))
        .flatMap(all -> all)
        .forEach(s -> builder.addService(RawMessages.of(s)));
    this.server = start(builder);
    security.whenCredentialsMayHaveEnded(gate::endUnknown);
    setStatus(services, ServingStatus.SERVING);
    var unused =
        models.devices().allLost().thenRun(() -> setStatus(services, ServingStatus.NOT_SERVING));
  }

  private NettyServerBuilder builder(InetSocketAddress address, Security security) {
    return NettyServerBuilder.forAddress(address, Transport.wideFrames(security.credentials()))
        .executor(executor)
        .initialFlowControlWindow(MAX_MESSAGE_BYTES)
        .maxInboundMessageSize(MAX_MESSAGE_BYTES + OVERHEAD_BYTES)
        .maxConcurrentCallsPerConnection(CALLS_PER_CONNECTION)
        .handshakeTimeout(HANDSHAKE.toSeconds(), TimeUnit.SECONDS)
        .permitKeepAliveTime(10, TimeUnit.SECONDS)
        .permitKeepAliveWithoutCalls(true)
        .keepAliveTime(1, TimeUnit.MINUTES)
        .keepAliveTimeout(20, TimeUnit.SECONDS);
  }

  private void setStatus(List<ServerServiceDefinition> services, ServingStatus status) {
    health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, status);
    services.forEach(s -> health.setStatus(s.getServiceDescriptor().getName(), status));
  }

  private Server start(NettyServerBuilder builder) throws IOException {
    try {
      return builder.build().start();
    } catch (IOException e) {
      executor.shutdown();
      connections.close();
      throw e;
    }
  }

  /**
   * Handlers stage and convert chunks, but wait for nothing. A call never has more than one task
   * here, so that the number of calls bounds the queue.
   */
  private static ExecutorService executor() {
    int threads = Math.max(4, 2 * Runtime.getRuntime().availableProcessors());
    return Executors.newFixedThreadPool(threads, Transport.threads("rpc"));
  }

  /** The port that was bound. */
  public int port() {
    return server.getPort();
  }

  /** How many connections there are, and were refused. */
  public ConnectionCounts connections() {
    return connections.counts();
  }

  /** Says NOT_SERVING, and refuses all calls from now on that belong to no step. */
  public void refuseNewWork() {
    health.enterTerminalState();
    door.narrow();
  }

  /** Refuses all calls, and connections. What was let in goes on. */
  public void refuseCalls() {
    door.close();
    server.shutdown();
  }

  /** Whether no call is owed an answer. */
  public boolean isIdle() {
    return gate.owed().isEmpty();
  }

  /** Ends Step calls that are between two steps. */
  public void endIdleCalls() {
    steps.endIdleCalls(Refusals.shuttingDown());
  }

  /** The calls that are owed an answer, each with its caller. */
  public List<String> owedCalls() {
    return gate.owed();
  }

  /** Ends every call and connection, once what was answered has left. */
  public void endCalls() {
    awaitTermination(LAST_WORDS);
    server.shutdownNow();
    // A client that does not read keeps its connection open otherwise.
    awaitTermination(LAST_WORDS);
    connections.endAll();
  }

  private void awaitTermination(Duration time) {
    try {
      server.awaitTermination(time.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Ends every call and the server. */
  @Override
  public void close() {
    server.shutdownNow();
    awaitTermination(Duration.ofSeconds(5));
    executor.shutdown();
    connections.close();
  }
}
